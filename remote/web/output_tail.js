// Script output, merged from progress messages that each contain only its last few KiB.

const MAX_CHARACTERS = 65536; // per stream
const PARTIAL = /^\uFFFD+/; // a character that was cut at the beginning of the piece

/** Returns the part of `piece` that follows `seen`; both are ends of the same growing text. */
export function newText(seen, piece) {
  const text = piece.replace(PARTIAL, "");
  if (text === "" || seen.endsWith(text)) return "";
  const start = Math.max(0, seen.length - text.length);
  for (let from = start; from < seen.length; from += 1) {
    if (text.startsWith(seen.slice(from))) return text.slice(seen.length - from);
  }
  return text;
}

/** Returns an empty output: both streams, in order of arrival. */
export function emptyOutput() {
  return { seen: { stdout: "", stderr: "" }, chunks: [] };
}

/** Returns `output` with the new text of a progress message; over the limits, the oldest text is dropped. */
export function appendOutput(output, stdout, stderr) {
  const seen = { ...output.seen };
  const chunks = [...output.chunks];
  for (const [stream, piece] of [["stdout", stdout], ["stderr", stderr]]) {
    const text = newText(seen[stream], piece ?? "");
    if (text === "") continue;
    seen[stream] = (seen[stream] + text).slice(-MAX_CHARACTERS);
    const last = chunks.at(-1);
    if (last?.stream === stream) {
      chunks[chunks.length - 1] = { stream, text: (last.text + text).slice(-MAX_CHARACTERS) };
    } else {
      chunks.push({ stream, text });
    }
  }
  return { seen, chunks: chunks.slice(-400) };
}
