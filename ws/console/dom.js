// What the views make their elements with, and how they ask. Whatever comes from data goes in as
// text, never as markup.

export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function button(text, act) {
  const made = element('button', '', text);
  made.type = 'button';
  made.addEventListener('click', act);
  return made;
}

export function fact(name, value) {
  return element('div', '', element('dt', '', name), element('dd', '', value));
}

// The answer's JSON; throws an Error with what the server said, its `code` and `status`.
export async function ask(key, method, path, { body, signal } = {}) {
  const response = await fetch(path, { method, signal, body: body && JSON.stringify(body),
    headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) } });
  if (response.status === 204) return {};
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const error = new Error(answer.detail ?? answer.message ?? `the server answered ${response.status}`);
  throw Object.assign(error, { code: answer.code, status: response.status });
}
