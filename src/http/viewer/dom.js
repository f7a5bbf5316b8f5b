// Elements. Everything that comes from data goes in as text, never as markup.

/** An element with properties, attributes (where there is no such property) and children; texts become text nodes. `key`
 * names it for `replaceChildren`. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "key") element.dataset.key = value;
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element of the page with this id. */
export const byId = (id) => document.getElementById(id);

/** Writes a text into an element, where another one stands. The browser would lay the page out again in any case. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** "T2 SPACE" for "t2_SPACE". */
export const scanTypeName = (type) => type.replace("_", " ").replace(/^t/, "T");

/** At most so many decimals, none that say nothing. */
export const rounded = (value, decimals = 0) => String(Number(value.toFixed(decimals)));

/** Marks a button as without effect, and says why; it stays reachable, so that the reason can be read. */
export function disable(button, reason) {
  button.setAttribute("aria-disabled", String(Boolean(reason)));
  if (reason) button.title = reason;
}

/** Whether a button is marked so. */
export const isDisabled = (button) => button.getAttribute("aria-disabled") === "true";

/** Replaces an element's children. The focus stays on the child with the same `data-key`, or else goes to the element. */
export function replaceChildren(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : undefined;
  const hadFocus = element.contains(document.activeElement) && document.activeElement !== element;
  element.replaceChildren(...children);
  if (!hadFocus) return;
  const same = [...element.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused);
  (same ?? element.closest("[tabindex]"))?.focus({ preventScroll: true });
}

/** A link that a plain click follows inside the page; any other click does what the browser does with links. */
export function inPageLink(element, follow) {
  element.addEventListener("click", (event) => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    follow();
  });
  return element;
}
