/** What an OpenAPI document says, in the form in which it is shown. */

/** @typedef {Record<string, any>} Schema */
/**
 * @typedef {{name: string, required: boolean, schema: Schema, description: string,
 *   example?: any}} Field
 */
/**
 * @typedef {{id: string, method: string, path: string, family: string, summary: string,
 *   description: string, security: Record<string, string[]>[], parameters: Schema[], body: Schema
 *   | undefined, responses: Record<string, Schema>}} Operation
 */

const DEEPEST = 8;
const VERBS = ['get', 'put', 'post', 'delete', 'patch'];

/**
 * The operations of a document, in its order.
 * @param {Schema} document
 * @returns {Operation[]}
 */
export function operationsOf(document) {
  return Object.entries(document.paths).flatMap(([path, verbs]) =>
    VERBS.filter((verb) => verbs[verb]).map((verb) => {
      const it = verbs[verb];
      return {
        id: it.operationId,
        method: verb.toUpperCase(),
        path,
        family: it.tags[0],
        summary: it.summary,
        description: it.description ?? '',
        security: it.security ?? [],
        parameters: it.parameters ?? [],
        body: it.requestBody?.content,
        responses: it.responses,
      };
    }),
  );
}

/**
 * The schema that a reference leads to, with what stands beside it.
 * @param {Schema} schema
 * @param {Schema} document
 * @returns {Schema}
 */
export function resolved(schema, document) {
  if (!schema.$ref) return schema;
  const { $ref, ...beside } = schema;
  const found = $ref
    .slice(2)
    .split('/')
    .reduce((/** @type {any} */ at, /** @type {string} */ name) => at[name], document);
  return { ...resolved(found, document), ...beside };
}

/**
 * The one branch of a schema that is not null.
 * @param {Schema} schema
 * @param {Schema} document
 * @returns {Schema}
 */
export function present(schema, document) {
  const whole = resolved(schema, document);
  const branches = (whole.anyOf ?? whole.oneOf ?? []).filter(
    (/** @type {Schema} */ each) => each.type !== 'null',
  );
  return branches.length
    ? { ...present(branches[0], document), ...without(whole, 'anyOf', 'oneOf') }
    : whole;
}

/**
 * @param {Schema} schema
 * @param {string[]} names
 */
function without(schema, ...names) {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => !names.includes(name)));
}

/**
 * The type of a value in a few words.
 * @param {Schema} schema
 * @param {Schema} document
 * @returns {string}
 */
export function typeOf(schema, document) {
  const whole = resolved(schema, document);
  const branches = whole.anyOf ?? whole.oneOf;
  if (branches)
    return [...new Set(branches.map((/** @type {Schema} */ each) => typeOf(each, document)))].join(
      ' or ',
    );
  if (whole.type === 'array') return `array of ${typeOf(whole.items ?? {}, document)}`;
  const format = whole.format ? ` (${whole.format})` : '';
  return `${whole.type ?? (whole.const === undefined ? 'anything' : typeof whole.const)}${format}`;
}

/**
 * The limits of a value in words.
 * @param {Schema} schema
 * @param {Schema} document
 * @returns {string[]}
 */
export function limitsOf(schema, document) {
  const it = present(schema, document);
  const words = [];
  if (it.enum) words.push(`one of ${it.enum.map(String).join(', ')}`);
  if (it.const !== undefined) words.push(`always ${JSON.stringify(it.const)}`);
  if (it.default !== undefined && it.default !== null && it.default !== '')
    words.push(`default ${it.default}`);
  if (it.minimum !== undefined) words.push(`at least ${it.minimum}`);
  if (it.maximum !== undefined && Number.isSafeInteger(it.maximum))
    words.push(`at most ${it.maximum}`);
  if (it.maxLength !== undefined) words.push(`at most ${it.maxLength} characters`);
  if (it.maxItems !== undefined) words.push(`at most ${it.maxItems}`);
  return words;
}

/**
 * The fields of an object, or of the objects in an array.
 * @param {Schema} schema
 * @param {Schema} document
 * @returns {Field[]}
 */
export function fieldsOf(schema, document) {
  const it = present(schema, document);
  if (it.type === 'array') return fieldsOf(it.items ?? {}, document);
  const named = Object.entries(it.properties ?? {}).map(([name, field]) => ({
    name,
    required: (it.required ?? []).includes(name),
    schema: field,
    description: resolved(field, document).description ?? '',
    example: resolved(field, document).examples?.[0],
  }));
  const others = it.additionalProperties;
  if (!others || typeof others !== 'object' || !(others.$ref || others.properties)) return named;
  return [
    ...named,
    { name: '…', required: false, schema: others, description: 'A value for each name.' },
  ];
}

/**
 * An example of a value, made of those of its fields.
 * @param {Schema} schema
 * @param {Schema} document
 * @param {number} [depth]
 * @returns {any}
 */
export function sampleOf(schema, document, depth = 0) {
  const it = present(schema, document);
  const own = it.examples?.[0] ?? it.example ?? it.const;
  if (own !== undefined) return own;
  if (depth > DEEPEST) return null;
  if (it.type === 'array') return [sampleOf(it.items ?? {}, document, depth + 1)];
  if (it.type === 'object') {
    const named = Object.entries(it.properties ?? {}).map(([name, field]) => [
      name,
      sampleOf(field, document, depth + 1),
    ]);
    const others = it.additionalProperties;
    const more =
      others && typeof others === 'object'
        ? [
            [
              (it.propertyNames ? present(it.propertyNames, document).enum?.[0] : null) ?? 'name',
              sampleOf(others, document, depth + 1),
            ],
          ]
        : [];
    return Object.fromEntries([...named, ...(named.length ? [] : more)]);
  }
  return (
    it.default ??
    it.enum?.[0] ??
    { string: 'text', integer: 1, number: 1, boolean: true }[/** @type {string} */ (it.type)] ??
    null
  );
}

/**
 * The folders with which all paths of some operations begin.
 * @param {Operation[]} operations
 */
export function baseOf(operations) {
  const [first = [], ...others] = operations.map((each) => each.path.split('/').slice(0, -1));
  const differs = first.findIndex((part, index) => others.some((each) => each[index] !== part));
  return (differs < 0 ? first : first.slice(0, differs)).join('/');
}

/**
 * Whether an operation has all words of a search, anywhere.
 * @param {Operation} operation
 * @param {string} words
 */
export function matches(operation, words) {
  const { id, method, path, summary, description, family } = operation;
  const names = operation.parameters.map((each) => each.name);
  const text = [id, method, path, summary, description, family, ...names].join(' ').toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
