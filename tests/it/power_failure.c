/* A disk that keeps only what it was made to keep. Preloaded into a program, this records what is durable of the folder
   POWER_ROOT: contents of a file when it is synchronised, names in a folder when that is, everything on syncfs. What is recorded
   lies in POWER_KEPT: `f<inode>` with the contents of a file, `d<inode>` with the names and inodes of a folder. At the
   POWER_FAILS_AT-th call, before it does anything, the process ends. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static long calls;

static const char *setting(const char *name) {
    const char *value = getenv(name);
    if (!value) {
        fprintf(stderr, "%s is not set\n", name);
        _exit(99);
    }
    return value;
}

static void keep_file(const char *path, ino_t inode) {
    char to[4096], part[4096 + 8], piece[65536];
    snprintf(to, sizeof to, "%s/f%lu", setting("POWER_KEPT"), (unsigned long)inode);
    snprintf(part, sizeof part, "%s.part", to);
    FILE *in = fopen(path, "rb"), *out = fopen(part, "wb");
    size_t got;
    while (in && out && (got = fread(piece, 1, sizeof piece, in)) > 0) fwrite(piece, 1, got, out);
    if (in) fclose(in);
    if (out) fclose(out);
    rename(part, to);
}

static void keep_names(const char *path, ino_t inode) {
    char to[4096], part[4096 + 8];
    snprintf(to, sizeof to, "%s/d%lu", setting("POWER_KEPT"), (unsigned long)inode);
    snprintf(part, sizeof part, "%s.part", to);
    FILE *out = fopen(part, "w");
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (out && folder && (entry = readdir(folder))) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            fprintf(out, "%c %lu %s\n", entry->d_type == DT_DIR ? 'd' : 'f', (unsigned long)entry->d_ino, entry->d_name);
    }
    if (folder) closedir(folder);
    if (out) fclose(out);
    rename(part, to);
}

static void keep_everything(const char *path) {
    struct stat what;
    if (lstat(path, &what)) return;
    if (S_ISREG(what.st_mode)) {
        keep_file(path, what.st_ino);
        return;
    }
    DIR *folder = opendir(path);
    struct dirent *entry;
    char inner[4096];
    while (folder && (entry = readdir(folder))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        keep_everything(inner);
    }
    if (folder) closedir(folder);
    keep_names(path, what.st_ino);
}

/* The path of an open file inside POWER_ROOT; 0 for any other. */
static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    const char *root = setting("POWER_ROOT");
    if (length < 0) return 0;
    path[length] = 0;
    return !strncmp(path, root, strlen(root));
}

static void synchronised(int fd, int whole) {
    char path[4096];
    struct stat what;
    pthread_mutex_lock(&turn);
    if (path_of(fd, path, sizeof path) && !fstat(fd, &what)) {
        if (++calls == atol(setting("POWER_FAILS_AT"))) _exit(77);
        if (whole) keep_everything(setting("POWER_ROOT"));
        else if (S_ISDIR(what.st_mode)) keep_names(path, what.st_ino);
        else keep_file(path, what.st_ino);
    }
    pthread_mutex_unlock(&turn);
}

int fsync(int fd) { synchronised(fd, 0); return 0; }
int fdatasync(int fd) { synchronised(fd, 0); return 0; }
int syncfs(int fd) { synchronised(fd, 1); return 0; }

/* What is there at the start is taken to be durable. */
__attribute__((constructor)) static void start(void) { keep_everything(setting("POWER_ROOT")); }
