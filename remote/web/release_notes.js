// Release notes: a small part of Markdown, as nodes. What is not understood stays the text it is; no markup is parsed.

import { element } from "./dom.js";

const LONGEST = 20000; // characters
const MOST_LINES = 400;

const INLINE = /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\[([^\]]*)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>()"']+)/g;

/** `text` as a fragment of headings, lists, paragraphs and code. */
export function notes(text) {
  const cut = text.length > LONGEST;
  const lines = text.slice(0, LONGEST).split(/\r?\n/);
  const blocks = read(lines.slice(0, MOST_LINES));
  if (cut || lines.length > MOST_LINES) blocks.push(element("p", { class: "soft", text: "… and more." }));
  const fragment = document.createDocumentFragment();
  fragment.append(...blocks);
  return fragment;
}

function read(lines) {
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
      // The card's own heading is an h3, so theirs begin right below it.
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
  const address = safeAddress(target ?? bare);
  return address ? link(address, label || whole) : whole;
}

/** The address when it leads to the web; null for javascript:, data: and everything else. */
export function safeAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

/** A link to elsewhere, which learns nothing of this page. */
export function link(address, text, attributes = {}) {
  return element("a", { href: address, target: "_blank", rel: "noopener noreferrer", ...attributes }, text);
}
