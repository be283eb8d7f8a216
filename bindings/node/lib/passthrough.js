'use strict';
// Trace context without the core, only to hand it on: what came in is read by the grammar of Trace
// Context Level 2 and written again, as the core does (tests/vectors). Needs nothing of Node.
// Nothing here throws for text.

const PARENT =
  /^[ \t]*(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?[ \t]*$/;
const MEMBER =
  /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;
const MEMBERS_MAX = 32;
const STATE_MAX = 1024;
const LONG_MEMBER = 128;
const KNOWN_FLAGS = 3; // sampled, random

function listOf(fields) {
  if (typeof fields === 'string') return [fields];
  return Array.isArray(fields) ? fields.filter((field) => typeof field === 'string') : [];
}

/** Members of a tracestate, of a repeated key the first; null when the list is not valid. */
function membersOf(fields) {
  const members = new Map();
  let seen = 0;
  for (const part of fields.join(',').split(',')) {
    const member = part.replace(/^[ \t]+|[ \t]+$/g, '');
    if (member === '') continue;
    if (++seen > MEMBERS_MAX || !MEMBER.test(member)) return null;
    const key = member.slice(0, member.indexOf('='));
    if (!members.has(key)) members.set(key, member);
  }
  return [...members.values()];
}

/** The text of the members that fit: long ones go first, then the oldest, which are last. */
function shortened(members) {
  const size = () => members.join(',').length;
  for (let i = members.length - 1; i >= 0 && size() > STATE_MAX; i--) {
    if (members[i].length > LONG_MEMBER) members.splice(i, 1);
  }
  while (size() > STATE_MAX) members.pop();
  return members.join(',');
}

/** A remote context { traceId, spanId, flags, state } of header values, or null. */
function extract(parents, states) {
  const given = listOf(parents);
  const parts = given.length === 1 ? PARENT.exec(given[0]) : null;
  if (parts === null) return null;
  const [, version, traceId, spanId, flags, more] = parts;
  if (version === '00' && more !== undefined) return null;
  const members = membersOf(listOf(states));
  return {
    traceId,
    spanId,
    flags: parseInt(flags, 16) & KNOWN_FLAGS,
    state: members === null ? '' : shortened(members),
  };
}

/** The header of a context, '' when it is not valid. */
function traceparentWrite(traceId, spanId, flags) {
  const text = `00-${traceId}-${spanId}-0${flags & KNOWN_FLAGS}`.toLowerCase();
  return PARENT.test(text) ? text : '';
}

module.exports = { extract, traceparentWrite };
