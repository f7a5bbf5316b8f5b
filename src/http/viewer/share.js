// What is taken along: the picture as PNG, and a link that pins the revision of the data.

import { getJson } from "./api.js";
import { byId, make } from "./dom.js";
import { format } from "./state.js";

const CAPTION_HEIGHT = 40;
const SECONDS_SHOWN = 2;

/** Binds the buttons. `dataset()` is what /v1/dataset says, or null. */
export function bindSharing(store, session, stage, dataset) {
  byId("save-picture").addEventListener("click", () => savePicture(store, session, stage, dataset()));
  byId("copy-link").addEventListener("click", async () => {
    // The revision that is served now, not the one of when the page was opened.
    const { revision } = await getJson("/v1/dataset");
    copyText(byId("copy-link"), linkText(store, session, dataset(), revision));
  });
}

/** URL of the view, URL of the scan as it is at this revision, and how to cite. */
function linkText({ now }, { scan }, dataset, revision) {
  const lines = [`${location.origin}/${format(now)}`];
  if (scan) lines.push(`Data: ${location.origin}/r/${revision}/v1/scans/${scan.scan_id} (revision ${revision}, scan ${scan.files?.revision ?? "without voxels"})`);
  if (dataset) lines.push(`${dataset.citation} ${dataset.licence.id}.`);
  return lines.join("\n");
}

/** Copies text; where the page may not write to the clipboard, says so on the button. */
export async function copyText(button, text) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Pages that are neither encrypted nor from this machine may not write to the clipboard.
    const field = make("textarea", { value: text });
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    button.textContent = document.execCommand("copy") ? "Copied" : "Not permitted by the browser";
    field.remove();
    button.focus();
  }
  setTimeout(() => (button.textContent = label), SECONDS_SHOWN * 1000);
}

/** The picture as on the screen, with what stands beside it, as a file. */
async function savePicture(store, session, stage, dataset) {
  const { scan } = session;
  const canvases = stage.canvases;
  if (!scan?.shape || canvases.length === 0) return;
  const width = canvases.reduce((sum, canvas) => sum + canvas.width, 0);
  const height = Math.max(...canvases.map((canvas) => canvas.height));
  const picture = new OffscreenCanvas(width, height + CAPTION_HEIGHT);
  const context = picture.getContext("2d");
  context.fillStyle = "#000000";
  context.fillRect(0, 0, width, height + CAPTION_HEIGHT);
  let left = 0;
  for (const canvas of canvases) {
    context.drawImage(canvas, left, 0);
    left += canvas.width;
  }
  context.fillStyle = "#dce3ea";
  context.font = "12px system-ui, sans-serif";
  const lines = [stage.caption, dataset ? `${dataset.name} ${dataset.licence.id}, doi:${dataset.doi}` : ""];
  lines.forEach((line, n) => context.fillText(line, 8, height + 16 + 16 * n, width - 16));
  const url = URL.createObjectURL(await picture.convertToBlob({ type: "image/png" }));
  make("a", { href: url, download: `${scan.scan_id}-${store.now.slice}.png` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
