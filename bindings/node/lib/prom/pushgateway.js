'use strict';
// Sends the metrics of a registry to a Pushgateway.

const http = require('node:http');
const https = require('node:https');
const { gzipSync } = require('node:zlib');
const { globalRegistry } = require('./registry.js');

function pathOf(job, groupings) {
  if (!job) return '';
  const pairs = Object.entries(groupings || {});
  const parts = [['job', job], ...pairs].flat().map(encodeURIComponent);
  return `/${parts.join('/')}`;
}

function send(target, options, body) {
  return new Promise((resolve, reject) => {
    const client = target.protocol === 'https:' ? https : http;
    const request = client.request(target, options, (resp) => {
      let text = '';
      resp.setEncoding('utf8');
      resp.on('data', (chunk) => (text += chunk));
      resp.on('end', () => {
        if (resp.statusCode >= 400)
          reject(new Error(`push failed with status ${resp.statusCode}, ${text}`));
        else resolve({ resp, body: text });
      });
    });
    request.on('error', reject);
    request.on('timeout', () => request.destroy(new Error('Pushgateway request timed out')));
    request.end(body);
  });
}

class Pushgateway {
  constructor(gatewayUrl, options, registry) {
    const { requireJobName, ...requestOptions } = { requireJobName: true, ...options };
    this.registry = registry || globalRegistry;
    this.gatewayUrl = gatewayUrl;
    this.requireJobName = requireJobName;
    this.requestOptions = requestOptions;
  }

  /** Replaces the metrics of the same names in a group. */
  pushAdd(params) {
    return this._use('POST', params);
  }

  /** Replaces all metrics of a group. */
  push(params) {
    return this._use('PUT', params);
  }

  /** Deletes the metrics of a group. */
  delete(params) {
    return this._use('DELETE', params);
  }

  _use(method, { jobName, groupings } = {}) {
    if (this.requireJobName && !jobName) throw new Error('Missing jobName parameter');
    return this._request(method, jobName, groupings);
  }

  async _request(method, jobName, groupings) {
    const target = new URL(this.gatewayUrl);
    const base = target.pathname === '/' ? '' : target.pathname;
    target.pathname = `${base}/metrics${pathOf(jobName, groupings)}`;
    const options = { ...this.requestOptions, method };
    if (method === 'DELETE') {
      if (options.headers) {
        options.headers = { ...options.headers };
        delete options.headers['Content-Encoding'];
      }
      return send(target, options);
    }
    const text = await this.registry.metrics();
    const isPacked = options.headers?.['Content-Encoding'] === 'gzip';
    return send(target, options, isPacked ? gzipSync(text) : text);
  }
}

module.exports = Pushgateway;
