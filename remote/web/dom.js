// Building and updating nodes. Text is inserted as text, never as markup, so that no content can become elements.

const SVG = "http://www.w3.org/2000/svg";

/** Returns an element with attributes (`text`, `onclick`… and all others by name) and children. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else setAttribute(node, name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Returns an icon of the sprite in index.html; it is decorative, next to a text. */
export function icon(name, extra = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon ${extra}`.trim());
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("focusable", "false");
  svg.append(document.createElementNS(SVG, "use"));
  setIcon(svg, name);
  return svg;
}

/** Changes the symbol of an icon. */
export function setIcon(svg, name) {
  const href = `#i-${name}`;
  if (svg.firstChild.getAttribute("href") !== href) svg.firstChild.setAttribute("href", href);
}

/** Sets a text if it differs: otherwise a live region would be read again, and a selection lost. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute if it differs; null removes it. */
export function setAttribute(node, name, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/** Makes `nodes` the children of `container`, in order; nodes in place are not moved, which would lose the focus. */
export function setChildren(container, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...container.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (container.children[index] !== node) container.insertBefore(node, container.children[index] ?? null);
  });
}

/** Returns a button; with `aria-disabled` it stays reachable by keyboard, so that the reason can be read. */
export function button(text, onclick, attributes = {}) {
  const node = element("button", { type: "button", class: "button", ...attributes }, text);
  node.addEventListener("click", () => {
    if (node.getAttribute("aria-disabled") !== "true") onclick();
  });
  return node;
}
