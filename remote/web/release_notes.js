// Release notes: renders a subset of Markdown as nodes. Other syntax stays text; HTML is not parsed.

import { element } from "./dom.js";

const MAX_CHARACTERS = 20000;
const MAX_LINES = 400;

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\[([^\]]*)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>()"']+)/g;

/** Returns `text` as a fragment of headings, lists, paragraphs and code. */
export function renderNotes(text) {
  const cut = text.length > MAX_CHARACTERS;
  const lines = text.slice(0, MAX_CHARACTERS).split(/\r?\n/);
  const blocks = parse(lines.slice(0, MAX_LINES));
  if (cut || lines.length > MAX_LINES) blocks.push(element("p", { class: "soft", text: "… and more." }));
  const fragment = document.createDocumentFragment();
  fragment.append(...blocks);
  return fragment;
}

function parse(lines) {
  const blocks = [];
  const highest = Math.min(...lines.map((line) => /^(#{1,6})\s/.exec(line)?.[1].length ?? 6));
  let code = null; // the open code block
  let list = null; // the open list
  let paragraph = null;
  const closeAll = () => { list = null; paragraph = null; };

  for (const line of lines) {
    if (line.startsWith("```")) {
      closeAll();
      code = code === null ? element("code") : null;
      if (code) blocks.push(element("pre", { tabindex: "0", "aria-label": "Code" }, code));
      continue;
    }
    if (code) {
      code.append(`${line}\n`);
      continue;
    }
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    const item = /^\s*([-*+]|\d{1,3}[.)])\s+(.*)$/.exec(line);
    if (line.trim() === "") {
      closeAll();
    } else if (heading) {
      closeAll();
      // The card's heading is an h3, so these start below it.
      blocks.push(element(heading[1].length === highest ? "h4" : "h5", {}, ...inline(heading[2])));
    } else if (item) {
      const tag = /\d/.test(item[1]) ? "ol" : "ul";
      if (list?.localName !== tag) {
        list = element(tag);
        blocks.push(list);
      }
      paragraph = element("li", {}, ...inline(item[2]));
      list.append(paragraph);
    } else if (paragraph) {
      paragraph.append(" ", ...inline(line.trim()));
    } else {
      list = null;
      paragraph = element("p", {}, ...inline(line));
      blocks.push(paragraph);
    }
  }
  return blocks;
}

function inline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(text.slice(end, match.index), node(match));
    end = match.index + match[0].length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((part) => part !== "");
}

function node([whole, code, stars, lines, label, target, bare]) {
  if (code) return element("code", { text: code });
  if (stars ?? lines) return element("strong", { text: stars ?? lines });
  const url = safeUrl(target ?? bare);
  return url ? link(url, label || whole) : whole;
}

/** Returns an http(s) URL; null for javascript:, data: and everything else. */
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

/** Returns a link to another site, which gets no referrer and no access to this page. */
export function link(url, text, attributes = {}) {
  return element("a", { href: url, target: "_blank", rel: "noopener noreferrer", ...attributes }, text);
}
