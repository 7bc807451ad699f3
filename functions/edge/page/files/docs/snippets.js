/** A request as code to copy; keys come from the environment and never stand in it. */

/**
 * @typedef {{method: string, url: string, query: [string, string][], headers: [string, string][],
 *   body: string, isBasic: boolean}} Asked
 */

/** @type {Record<string, (asked: Asked) => string>} */
export const LANGUAGES = { curl, Python: python, JavaScript: javascript };

/**
 * A text as one word of a shell.
 * @param {string} text
 */
function word(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * The address with its query.
 * @param {Asked} asked
 */
export function addressOf({ url, query }) {
  const text = query
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
  return text ? `${url}?${text}` : url;
}

/** @param {Asked} asked */
function curl(asked) {
  const lines = [
    `curl ${asked.method === 'GET' ? '' : `-X ${asked.method} `}${word(addressOf(asked))}`,
    asked.isBasic
      ? '-u "$ODOMETER_USERNAME:$ODOMETER_KEY"'
      : '-H "Authorization: Bearer $ODOMETER_KEY"',
    ...asked.headers.map(([name, value]) => `-H ${word(`${name}: ${value}`)}`),
    ...(asked.body ? [`--data-binary ${word(asked.body)}`] : []),
  ];
  return lines.join(' \\\n  ');
}

/**
 * A text as Python writes it; JSON escapes it in the same way.
 * @param {string} text
 */
const quoted = (text) => JSON.stringify(text);

/** @param {[string, string][]} pairs */
function dictionary(pairs) {
  return `{${pairs.map(([name, value]) => `${quoted(name)}: ${quoted(value)}`).join(', ')}}`;
}

/** @param {Asked} asked */
function python(asked) {
  const bearer = 'f"Bearer {os.environ[\'ODOMETER_KEY\']}"';
  const headers = [
    ...(asked.isBasic ? [] : [`"Authorization": ${bearer}`]),
    ...asked.headers.map(([name, value]) => `${quoted(name)}: ${quoted(value)}`),
  ];
  const lines = [
    `    ${quoted(asked.method)},`,
    `    ${quoted(asked.url)},`,
    ...(asked.query.length ? [`    params=${dictionary(asked.query)},`] : []),
    ...(headers.length ? [`    headers={${headers.join(', ')}},`] : []),
    ...(asked.isBasic
      ? ['    auth=(os.environ["ODOMETER_USERNAME"], os.environ["ODOMETER_KEY"]),']
      : []),
    ...(asked.body ? [`    content=${quoted(asked.body)}.encode(),`] : []),
  ];
  return [
    'import os',
    '',
    'import httpx',
    '',
    'answer = httpx.request(',
    ...lines,
    ')',
    'answer.raise_for_status()',
    'print(answer.text)',
  ].join('\n');
}

/** @param {Asked} asked */
function javascript(asked) {
  const pair = '`${process.env.ODOMETER_USERNAME}:${process.env.ODOMETER_KEY}`';
  const authorization = asked.isBasic
    ? `Basic \${Buffer.from(${pair}).toString("base64")}`
    : 'Bearer ${process.env.ODOMETER_KEY}';
  const headers = [
    `    Authorization: \`${authorization}\`,`,
    ...asked.headers.map(([name, value]) => `    ${quoted(name)}: ${quoted(value)},`),
  ];
  const lines = [
    ...(asked.method === 'GET' ? [] : [`  method: ${quoted(asked.method)},`]),
    `  headers: {\n${headers.join('\n')}\n  },`,
    ...(asked.body ? [`  body: ${quoted(asked.body)},`] : []),
  ];
  return [
    `const answer = await fetch(${quoted(addressOf(asked))}, {`,
    ...lines,
    '});',
    'if (!answer.ok) throw new Error(await answer.text());',
    'console.log(await answer.text());',
  ].join('\n');
}
