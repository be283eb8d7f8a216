'use strict';
// Several copies of the package in a process (nested installations, bundles, modules that are
// loaded anew) share one set of its modules, as they share the core: the current span of one is
// that of all. Which copy a module comes from does not matter, because all copies of a version are
// alike; copies of different versions stay apart.

const { modules } = require('./loader.js');

/**
 * What a module of this name exports: the one that came first, or `own`, which is from now on the
 * first.
 */
function one(name, own) {
  if (modules === undefined) return own;
  if (modules[name] === undefined) modules[name] = own;
  return modules[name];
}

/**
 * Whether a module of this name is there, so that another one should not take memory for itself.
 */
one.has = (name) => modules !== undefined && modules[name] !== undefined;

module.exports = one;
