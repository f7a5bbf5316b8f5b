// Pointer, wheel and touch over a picture, as what is meant by them. Points are pixels from the canvas's corner.

const CLICK_REACH = 4;
const WHEEL_STEP = 40;

/** `on` has: begin, step(n), zoom(factor, point), pan(right, down), window(right, down), measure(from, to, isDone),
 * cross(point), hover(point or null), click(point), reset(), tool(), isZoomed(). With the tool "cross", dragging moves what
 * crosses under the pointer, and the middle button moves the picture. */
export function listen(canvas, on) {
  const pointers = new Map();
  let drag = null;
  let wheel = 0;

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  const meaning = (event) => {
    const tool = on.tool();
    if (event.button === 2 || event.shiftKey || tool === "window") return "window";
    if (tool === "cross") return event.button === 1 ? "pan" : "cross";
    if (tool === "ruler" || tool === "angle") return "measure";
    return event.pointerType === "touch" && !on.isZoomed() ? "slices" : "pan";
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button === 1 && on.tool() !== "cross") return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    const point = place(event);
    on.begin();
    drag = { meaning: pointers.size > 1 ? "pinch" : meaning(event), from: point, last: point, left: 0, moved: false };
    on.hover(null);
    if (drag.meaning === "cross") on.cross(point);
  });

  canvas.addEventListener("pointermove", (event) => {
    const point = place(event);
    if (!pointers.has(event.pointerId) || !drag) return on.hover(point);
    if (drag.meaning === "pinch") return pinch(event.pointerId, point);
    const [right, down] = [point[0] - drag.last[0], point[1] - drag.last[1]];
    drag.moved ||= Math.hypot(point[0] - drag.from[0], point[1] - drag.from[1]) > CLICK_REACH;
    drag.last = point;
    pointers.set(event.pointerId, point);
    if (drag.meaning === "cross") return on.cross(point);
    if (!drag.moved) return;
    if (drag.meaning === "window") on.window(point[0] - drag.from[0], point[1] - drag.from[1]);
    if (drag.meaning === "pan") on.pan(right, down);
    if (drag.meaning === "measure") on.measure(drag.from, point, false);
    if (drag.meaning === "slices") {
      drag.left += down;
      const steps = Math.trunc(drag.left / 12);
      drag.left -= steps * 12;
      if (steps !== 0) on.step(steps);
    }
  });

  const pinch = (id, point) => {
    if (pointers.size < 2) return;
    const apart = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);
    const middle = ([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    const before = [...pointers.values()];
    pointers.set(id, point);
    const after = [...pointers.values()];
    on.zoom(apart(after) / (apart(before) || 1), middle(after));
    on.pan(middle(after)[0] - middle(before)[0], middle(after)[1] - middle(before)[1]);
  };

  const end = (event) => {
    pointers.delete(event.pointerId);
    if (!drag || pointers.size > 0) return;
    if (drag.meaning === "measure" && drag.moved) on.measure(drag.from, place(event), true);
    else if (!drag.moved && event.type === "pointerup" && event.button === 0) on.click(place(event));
    // A tap names what is under the finger.
    if (event.pointerType !== "touch" || (!drag.moved && event.type === "pointerup")) on.hover(place(event));
    drag = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && on.hover(null));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => on.reset());

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      on.begin();
      // Lines and pages are worth so many pixels.
      const pixels = event.deltaY * [1, 40, 400][event.deltaMode];
      if (event.ctrlKey || event.metaKey) return on.zoom(Math.exp(-pixels / 400), place(event));
      if (Math.sign(pixels) !== Math.sign(wheel)) wheel = 0;
      wheel += pixels;
      const steps = Math.abs(pixels) >= WHEEL_STEP ? Math.sign(pixels) : Math.trunc(wheel / WHEEL_STEP);
      if (steps === 0) return;
      wheel = 0;
      on.step(steps);
    },
    { passive: false },
  );
}
