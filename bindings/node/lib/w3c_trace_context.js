'use strict';
// Trace context without the core: parses headers by the grammar of Trace Context Level 2 and writes
// them again, as the core does (tests/vectors). Uses no Node API. Never throws for text.

const IDS = '(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})';
const PARENT = new RegExp(`^[ \\t]*(?!ff)([0-9a-f]{2})-${IDS}-([0-9a-f]{2})(-.*)?[ \\t]*$`);
const VALUE = '[\\x20-\\x2b\\x2d-\\x3c\\x3e-\\x7e]{0,255}[\\x21-\\x2b\\x2d-\\x3c\\x3e-\\x7e]';
const MEMBER = new RegExp(`^[a-z0-9][a-z0-9_\\-*/@]{0,255}=${VALUE}$`);
const MEMBERS_MAX = 32;
const STATE_MAX = 1024;
const LONG_MEMBER = 128;
const KNOWN_FLAGS = 3; // sampled, random

function listOf(fields) {
  if (typeof fields === 'string') return [fields];
  return Array.isArray(fields) ? fields.filter((field) => typeof field === 'string') : [];
}

/** Returns the members of a tracestate, without repeated keys; null if the list is invalid. */
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

/** Returns the members that fit as text: long ones are dropped first, then the last ones. */
function shortened(members) {
  const size = () => members.join(',').length;
  for (let i = members.length - 1; i >= 0 && size() > STATE_MAX; i--) {
    if (members[i].length > LONG_MEMBER) members.splice(i, 1);
  }
  while (size() > STATE_MAX) members.pop();
  return members.join(',');
}

/** Parses header values into a remote context { traceId, spanId, flags, state }, or null. */
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

/** Returns the header of a context; '' if it is invalid. */
function traceparentWrite(traceId, spanId, flags) {
  const text = `00-${traceId}-${spanId}-0${flags & KNOWN_FLAGS}`.toLowerCase();
  return PARENT.test(text) ? text : '';
}

module.exports = { extract, traceparentWrite };
