'use strict';
// Baggage without the core: header text by the grammar of W3C Baggage, read and written as in the
// core (tests/vectors/baggage.json). Uses no Node API. Never throws for text.

const MEMBERS_MAX = 180;
const SIZE_MAX = 8192;
const INPUT_MAX = 65536;
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
const OCTETS = /^[!#-+\--:<-[\]-~]*$/;
const ESCAPED = /[^!#$&-*\--:<-[\]-~]/; // a value must encode these

const trimmed = (text) => text.replace(/^[ \t]+|[ \t]+$/g, '');

/** Splits at the first '='; the value is null without one. */
function pairOf(text) {
  const equals = text.indexOf('=');
  return equals < 0
    ? [trimmed(text), null]
    : [trimmed(text.slice(0, equals)), trimmed(text.slice(equals + 1))];
}

function decoded(value) {
  if (!value.includes('%')) return value;
  const bytes = [];
  for (let i = 0; i < value.length; i++) {
    const code = /^%[0-9a-f]{2}$/i.test(value.slice(i, i + 3));
    bytes.push(code ? parseInt(value.slice(i + 1, i + 3), 16) : value.charCodeAt(i));
    if (code) i += 2;
  }
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

function encoded(value) {
  let text = '';
  for (const byte of new TextEncoder().encode(value)) {
    const char = String.fromCharCode(byte);
    text += ESCAPED.test(char) ? `%${byte.toString(16).toUpperCase().padStart(2, '0')}` : char;
  }
  return text;
}

/** Returns the valid properties in their shortest form. */
function propertiesOf(text) {
  const kept = [];
  for (const part of text.split(';')) {
    const [key, value] = pairOf(part);
    if (TOKEN.test(key) && (value === null || OCTETS.test(value)))
      kept.push(value === null ? key : `${key}=${value}`);
  }
  return kept.join(';');
}

function listOf(fields) {
  if (typeof fields === 'string') return fields;
  return Array.isArray(fields) ? fields.filter((field) => typeof field === 'string').join(',') : '';
}

/**
 * Returns the entries of header fields: [{ key, value, properties }]. Of a repeated key the last
 * entry counts, at the place of the first.
 */
function parse(fields) {
  const entries = new Map();
  for (const member of listOf(fields).slice(0, INPUT_MAX).split(',')) {
    const semicolon = member.indexOf(';');
    const [key, value] = pairOf(semicolon < 0 ? member : member.slice(0, semicolon));
    if (value === null || !TOKEN.test(key) || !OCTETS.test(value)) continue;
    if (entries.size === MEMBERS_MAX && !entries.has(key)) continue;
    const properties = semicolon < 0 ? '' : propertiesOf(member.slice(semicolon + 1));
    entries.set(key, { key, value: decoded(value), properties });
  }
  return fitting(entries.values()).map(([entry]) => entry);
}

function memberOf({ key, value, properties }) {
  return `${key}=${encoded(value)}${properties === '' ? '' : `;${properties}`}`;
}

/** Returns the entries that fit into a field, each with its text; the others are left out whole. */
function fitting(entries) {
  const kept = [];
  let size = 0;
  for (const entry of entries) {
    const text = memberOf(entry);
    const more = text.length + (kept.length > 0 ? 1 : 0);
    if (size + more > SIZE_MAX) continue;
    size += more;
    kept.push([entry, text]);
  }
  return kept;
}

/** Returns the field for entries. */
function write(entries) {
  return fitting(entries)
    .map(([, text]) => text)
    .join(',');
}

/** Returns the text with an entry set; unchanged for an invalid entry. */
function set(text, key, value, properties = '') {
  const before = listOf(text);
  if (typeof key !== 'string' || typeof value !== 'string' || !TOKEN.test(key)) return before;
  const entries = new Map(parse(before).map((entry) => [entry.key, entry]));
  if (entries.size === MEMBERS_MAX && !entries.has(key)) return before;
  entries.set(key, { key, value, properties: propertiesOf(String(properties)) });
  return write(entries.values());
}

/** Returns the text without an entry. */
function remove(text, key) {
  return write(parse(text).filter((entry) => entry.key !== key));
}

module.exports = { parse, remove, set, write };
