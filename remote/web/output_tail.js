// The output of a script, put together from its growing end: each message carries only the last few KiB of it.

const KEPT = 65536; // characters per stream of what one card shows
const CUT = /^\uFFFD+/; // a character that was cut through at the beginning of the piece

/** The part of `piece` that is new after `seen`; both are ends of the same growing text. */
export function fresh(seen, piece) {
  const text = piece.replace(CUT, "");
  if (text === "" || seen.endsWith(text)) return "";
  const start = Math.max(0, seen.length - text.length);
  for (let from = start; from < seen.length; from += 1) {
    if (text.startsWith(seen.slice(from))) return text.slice(seen.length - from);
  }
  return text;
}

/** What both streams have said so far, in the order in which it came. */
export function emptyOutput() {
  return { seen: { stdout: "", stderr: "" }, chunks: [] };
}

/** `output` with what a progress message adds to it; the oldest goes when it becomes long. */
export function extend(output, stdout, stderr) {
  const seen = { ...output.seen };
  const chunks = [...output.chunks];
  for (const [stream, piece] of [["stdout", stdout], ["stderr", stderr]]) {
    const text = fresh(seen[stream], piece ?? "");
    if (text === "") continue;
    seen[stream] = (seen[stream] + text).slice(-KEPT);
    const last = chunks.at(-1);
    if (last?.stream === stream) chunks[chunks.length - 1] = { stream, text: (last.text + text).slice(-KEPT) };
    else chunks.push({ stream, text });
  }
  return { seen, chunks: chunks.slice(-400) };
}
