'use strict';
// Makes require('prom-client') return this package.

const Module = require('node:module');
const path = require('node:path');

const NAME = 'prom-client';
let isInstalled = false;

/** The file here for a request of prom-client; undefined for others. */
function fileOf(request) {
  if (request === NAME) return path.join(__dirname, 'index.js');
  const inside = /^prom-client\/lib\/([A-Za-z]+)(?:\.js)?$/.exec(request);
  return inside === null ? undefined : path.join(__dirname, `${inside[1]}.js`);
}

/** Makes later require('prom-client') and its lib/ files return this package. */
function install() {
  if (isInstalled) return;
  isInstalled = true;
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (request, ...rest) {
    return fileOf(request) || resolve.call(this, request, ...rest);
  };
}

module.exports = { install };
