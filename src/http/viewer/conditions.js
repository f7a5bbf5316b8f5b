// What is wrong with filters, as far as the page knows without the server.

/** Why no scan can meet these filters; null when some may. */
export function problemOf({ age }) {
  const [, low, high] = /^([\d.]+)\.\.([\d.]+)$/.exec(age ?? "") ?? [];
  return Number(low) > Number(high) ? `Age: from ${low} to ${high} holds no age. Enter the smaller number first.` : null;
}
