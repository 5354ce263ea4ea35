// Requests to the control API. A token comes in #token= of the address and stays in this tab only.

const KEY = "wxasset-control";
const found = new URLSearchParams(location.hash.slice(1)).get("token");
if (found) {
  sessionStorage.setItem(KEY, found);
  history.replaceState(null, "", location.pathname);
}

export function useToken(token) {
  sessionStorage.setItem(KEY, token);
}

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function send(method, path, body, signal) {
  const headers = {};
  const token = sessionStorage.getItem(KEY);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (method === "POST") headers["Content-Type"] = "application/json";
  const reply = await fetch(path, {method, headers, signal, cache: "no-store", body: body && JSON.stringify(body)});
  if (!reply.ok) {
    const told = await reply.json().catch(() => ({}));
    throw new Refused(reply.status, told.error ?? `HTTP ${reply.status}`);
  }
  return reply;
}

const query = parameters => `?${new URLSearchParams(parameters)}`;

export const get = async (path, parameters = {}, signal = undefined) =>
  (await send("GET", path + query(parameters), undefined, signal)).json();
export const post = async (path, body = {}) => (await send("POST", path, body)).json();
export const remove = async path => (await send("DELETE", path)).json();
export const blob = async (path, parameters) => (await send("GET", path + query(parameters))).blob();
