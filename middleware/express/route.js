'use strict';
// The route template of an Express request, from the notes of track.js: the mount paths of routers
// and applications as written, and the path of the route. Never a request path.

const { exchangeOf } = require('../http/exchange.js');
const { enterChosen } = require('./track.js');

/** Returns the template of a finished request; '' if no route matched. */
function expressRoute(req, res) {
  const exchange = exchangeOf(req);
  if (exchange === undefined) return '';
  enterChosen(exchange, req);
  const base = req.baseUrl || '';
  // A handler below a mount path without a route, also after a route that passed the request on.
  if (exchange.mount !== null && base !== '' && base === exchange.mountBase)
    return unlessNotFound(res, exchange.mount);
  if (exchange.route !== null) return exchange.route;
  if (base !== '' && base === exchange.base && exchange.text !== null)
    return unlessNotFound(res, exchange.text);
  return exchange.failed === '' ? '' : unlessNotFound(res, exchange.failed);
}

/** Returns '' for 404: a mounted handler responds with it when nothing matched. */
function unlessNotFound(res, text) {
  return res !== null && res.statusCode === 404 ? '' : text;
}

module.exports = { expressRoute };
