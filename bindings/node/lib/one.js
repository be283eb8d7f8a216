'use strict';
// Several copies of the package in a process (nested installations, bundles, modules that are
// loaded again) share one set of modules, as they share the core, and so the current span. This is
// safe because all copies of a version are equal; copies of different versions are separate.

const { modules } = require('./loader.js');

/** Returns the exports of the first module of this name; `own` if this is the first. */
function one(name, own) {
  if (modules === undefined) return own;
  if (modules[name] === undefined) modules[name] = own;
  return modules[name];
}

/** Whether a module of this name is loaded, so that another copy allocates no memory for it. */
one.has = (name) => modules !== undefined && modules[name] !== undefined;

module.exports = one;
