'use strict';
// Mount paths of Express 4, restored from their expressions.

const test = require('node:test');
const assert = require('node:assert/strict');
const { EXPRESS } = require('./http_driver.js');
const { answer, eachApp: each, templatesOf } = require('./express_driver.js');
const { writtenMounts } = require('../../middleware/express/mount_path.js');

const FOUR = EXPRESS.filter((version) => !version.five);

each(
  'patterns, optional parameters and wildcards of Express 4',
  async (app, port, { express }) => {
    const at = (path, inner) => app.use(path, express.Router().get(inner, answer));
    at('/v1/:id(\\d+)', '/items');
    at('/genre/:lang(en|de)', '/x');
    at('/opt/:a/:b?', '/end');
    app.use('/star/*', answer);
    app.use('/more/:rest*', answer);
    at('/dates/:from-:to', '/end');
    at('/file.:ext', '/end');
    at('/group/(a|b)', '/end');
    const paths = [
      '/v1/1/items',
      '/v1/7/items',
      '/genre/en/x',
      '/opt/1/2/end',
      '/star/a/b/tail',
      '/more/a/b',
    ];
    const more = ['/dates/a-b/end', '/file.json/end', '/group/a/end'];
    assert.deepEqual(await templatesOf(port, [...paths, ...more]), [
      '/v1/:id(\\d+)/items',
      '/v1/:id(\\d+)/items',
      '/genre/:lang(en|de)/x',
      '/opt/:a/:b?/end',
      '/star/*',
      '/more/:rest*',
      '/dates/:from-:to/end',
      '/file.:ext/end',
      '/group/(a|b)/end',
    ]);
  },
  FOUR,
);

test('what a mount path was, from its expression', () => {
  const read = (source, flags, names) =>
    writtenMounts(
      new RegExp(source, flags),
      names.map((name) => ({ name })),
    ).map(({ text }) => text);
  const end = '\\/?(?=\\/|$)';
  assert.deepEqual(read(`^\\/a\\/(?:([^\\/]+?))${end}`, 'i', ['id']), ['/a/:id']);
  assert.deepEqual(read(`^\\/a(?:\\/([^\\/]+?))?${end}`, 'i', ['id']), ['/a/:id?']);
  assert.deepEqual(read(`^\\/a${end}|^\\/b(?:\\/(\\d+))${end}|^\\/x[a-z]+`, '', ['n']), [
    '/a',
    '/b/:n(\\d+)',
    '/^\\/x[a-z]+/',
  ]);
  for (const strange of ['(', '^\\/a(?=b)', '^\\/a\\d', '^[^/]+']) {
    let regexp;
    try {
      regexp = new RegExp(strange + end);
    } catch {
      continue;
    }
    assert.deepEqual(read(regexp.source, '', []), [String(regexp)]);
  }
});
