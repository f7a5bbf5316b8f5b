/* A file system that does not answer. Preloaded into a program, opening HANGING_FILE waits for as long as there is a file
   HANGS_WHILE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int open_when_it_answers(const char *symbol, const char *path, int flags, mode_t mode) {
    const char *file = getenv("HANGING_FILE"), *hangs = getenv("HANGS_WHILE");
    while (file && hangs && !strcmp(path, file) && !access(hangs, F_OK)) usleep(10000);
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, symbol);
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open_when_it_answers("open", path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    return open_when_it_answers("open64", path, flags, mode);
}
