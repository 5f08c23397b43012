// Building and patching nodes. Nothing here takes markup: text enters as text, so nobody's words become elements.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (`class`, `text`, `onclick`… and everything else by its own name) and children. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else mark(node, name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** One of the drawings at the top of index.html; decoration only, the words stand beside it. */
export function icon(name, extra = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${extra}`.trim());
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  svg.append(document.createElementNS(SVG, "use"));
  draw(svg, name);
  return svg;
}

/** Makes an icon show another drawing. */
export function draw(svg, name) {
  const href = `#i-${name}`;
  if (svg.firstChild.getAttribute("href") !== href) svg.firstChild.setAttribute("href", href);
}

/** Sets a text only where it differs: a live region would be read again, and a selection be lost. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute only where it differs; null takes it away. */
export function mark(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/** Lets `container` hold exactly `nodes`, in this order; what is in its place stays, for moving loses the focus. */
export function arrange(container, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...container.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (container.children[index] !== node) container.insertBefore(node, container.children[index] ?? null);
  });
}

/** A button whose reason for being disabled can be read: it stays reachable by keyboard, it only does nothing. */
export function button(text, onclick, attributes = {}) {
  const node = element("button", { type: "button", class: "button", ...attributes }, text);
  node.addEventListener("click", () => {
    if (node.getAttribute("aria-disabled") !== "true") onclick();
  });
  return node;
}
