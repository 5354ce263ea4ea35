/** What the page asks its server for. */

/** An answer that was no success: its status, 0 where there was none, and the server's own explanation. */
export class Problem extends Error {
  constructor(status, explanation) {
    super(`status ${status}`);
    this.status = status;
    this.explanation = explanation ?? {};
  }
}

const UNKNOWN = 504; // all of a file was sent and no answer came: the picture may be in the library
const HEADERS = { "X-Gallery": "1" }; // pages of other sites cannot send it

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export async function ask(path, method = "GET") {
  let answer;
  try {
    answer = await fetch(path, { method, headers: HEADERS });
  } catch {
    throw new Problem(0);
  }
  const content = parsed(await answer.text());
  if (!answer.ok) throw new Problem(answer.status, content);
  return content;
}

/** Send a file. `onMove(stage, fraction)` is told how far it is: first "toServer", then "toWeChat". */
export function send(file, onMove) {
  const upload = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const form = new FormData();
  form.append("file", file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much of a body was sent
    let sent = false;
    let over = false;
    request.upload.onprogress = (event) => event.lengthComputable && onMove("toServer", event.loaded / event.total);
    request.upload.onload = async () => {
      sent = true;
      while (!over) {
        const { done, total } = await ask(`api/passage?upload=${upload}`).catch(() => ({}));
        if (!over) onMove("toWeChat", total ? done / total : 0);
        await new Promise((wake) => setTimeout(wake, 150));
      }
    };
    request.onloadend = () => {
      over = true;
      const content = parsed(request.responseText);
      if (request.status === 201) resolve(content);
      else reject(new Problem(request.status || (sent ? UNKNOWN : 0), content));
    };
    request.open("POST", `api/images?upload=${upload}`);
    for (const [name, value] of Object.entries(HEADERS)) request.setRequestHeader(name, value);
    request.send(form);
  });
}
