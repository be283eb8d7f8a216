'use strict';
// The numbers of the operation log's form, by the names of core/include/djp/oplog.h.

/** Control words by index. */
const WORD = {
  PUBLISHED: 0,
  LOST_SPANS: 1,
  LOST_ATTRIBUTES: 2,
  LOST_REQUESTS: 3,
  CONSUMED: 16,
  ASLEEP: 17,
  ACTIVE: 32,
  HEAD: 33,
  VALUE_LIMIT: 35,
  EPOCH: 36,
};

/** Kinds of operations. */
const OP = {
  PAD: 0,
  DEFINE: 1,
  START: 2,
  TEXT: 3,
  NUMBER: 4,
  INTEGER: 5,
  TRUE: 6,
  FALSE: 7,
  VALUE: 8,
  KEYED: 9,
  DROP: 10,
  RENAME: 11,
  STATUS: 12,
  EVENT: 13,
  EXCEPTION: 14,
  LINK: 15,
  END: 16,
  HTTP_END: 17,
  SYMBOL: 18,
  LONG: 19,
};

module.exports = { OP, WORD };
