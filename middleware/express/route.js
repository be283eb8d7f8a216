'use strict';
// The route template of an answered Express request, from what was noted on its way: the paths
// under which routers and applications are mounted, as they were written, and the path of the
// route. A raw path is never an answer.

const { exchangeOf } = require('../http/exchange.js');
const { enterChosen } = require('./track.js');

/** The template of a request whose answer is complete; '' when no route answered. */
function expressRoute(req, res) {
  const exchange = exchangeOf(req);
  if (exchange === undefined) return '';
  enterChosen(exchange, req);
  const base = req.baseUrl || '';
  // A handler below a mount path that is no route, after a route that passed the request on or
  // without any.
  if (exchange.mount !== null && base !== '' && base === exchange.mountBase)
    return unlessNotFound(res, exchange.mount);
  if (exchange.route !== null) return exchange.route;
  if (base !== '' && base === exchange.base && exchange.text !== null)
    return unlessNotFound(res, exchange.text);
  return exchange.failed === '' ? '' : unlessNotFound(res, exchange.failed);
}

/** 404 is a mounted handler's own way of saying that nothing matched. */
function unlessNotFound(res, text) {
  return res !== null && res.statusCode === 404 ? '' : text;
}

module.exports = { expressRoute };
