/** Requests of the page to its server. */

/** A response that was no success: its status, 0 where there was none, and the server's own explanation. */
export class Problem extends Error {
  constructor(status, explanation) {
    super(`status ${status}`);
    this.status = status;
    this.explanation = explanation ?? {};
  }
}

const UNKNOWN = 504; // all of a file was sent and no answer came: it may be in the library
const HEADERS = { "X-Wxasset": "1" }; // pages of other sites cannot send it

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export async function ask(path, method = "GET", content = undefined) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: content === undefined ? HEADERS : { ...HEADERS, "Content-Type": "application/json" },
      body: content === undefined ? undefined : JSON.stringify(content),
    });
  } catch {
    throw new Problem(0);
  }
  const document = parsed(await answer.text().catch(() => ""));
  if (!answer.ok) throw new Problem(answer.status, document);
  return document;
}

/** Size of a file that the server has at hand; null where it does not say. */
export async function sizeOf(path) {
  const answer = await fetch(path, { method: "HEAD", headers: HEADERS }).catch(() => null);
  const size = answer?.ok ? answer.headers.get("Content-Length") : null;
  return size === null ? null : Number(size);
}

/** The last whole line of a response that is still coming. */
function lastLine(text) {
  return parsed(text.slice(0, text.lastIndexOf("\n") + 1).trimEnd().split("\n").at(-1)) ?? parsed(text);
}

/**
 * Send a file. `onMove(stage, fraction)` is told how far it is: first "toServer", then "toWeChat", which is a part of the
 * response itself. `signal` cancels it.
 */
export function send(kind, file, texts, onMove, signal) {
  const form = new FormData();
  form.append("file", file);
  for (const [name, text] of Object.entries(texts)) if (text) form.append(name, text);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much of a body was sent
    let sent = false;
    request.upload.onprogress = (event) => event.lengthComputable && onMove("toServer", event.loaded / event.total);
    request.upload.onload = () => {
      sent = true;
      onMove("toWeChat", 0);
    };
    request.onprogress = () => {
      const { done, total } = lastLine(request.responseText) ?? {};
      if (total) onMove("toWeChat", done / total);
    };
    request.onloadend = () => {
      const content = lastLine(request.responseText);
      const status = content?.status ?? (request.status >= 400 ? request.status : sent ? UNKNOWN : 0);
      if (status === 201) resolve(content);
      else reject(new Problem(status, content));
    };
    signal.addEventListener("abort", () => request.abort());
    request.open("POST", `api/materials?type=${kind}`);
    for (const [name, value] of Object.entries(HEADERS)) request.setRequestHeader(name, value);
    request.send(form);
  });
}
