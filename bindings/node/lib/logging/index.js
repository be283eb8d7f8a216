'use strict';

// djp-telemetry/logging: the API. createLogger() loads pino, so that the other functions work
// without it.

const { createLogger } = require('./logger');
const { getStructuredLogContext } = require('./fields');
const { traceMixin } = require('../integrations/pino');
const { winstonFormat } = require('../integrations/winston');
const correlation = require('./correlation');
const redaction = require('./redaction');

module.exports = {
  createLogger,
  getStructuredLogContext,
  traceMixin,
  winstonFormat,
  CorrelationManager: correlation.CorrelationManager,
  correlationMiddleware: correlation.correlationMiddleware,
  correlationPlugin: correlation.correlationPlugin,
  generateCorrelationId: correlation.generateCorrelationId,
  getCorrelationContext: correlation.getCorrelationContext,
  runWithCorrelationContext: correlation.runWithCorrelationContext,
  setCorrelationContext: correlation.setCorrelationContext,
  DEFAULT_REDACTION_RULES: redaction.DEFAULT_REDACTION_RULES,
  RedactionService: redaction.RedactionService,
  deepRedact: redaction.deepRedact,
  redactObject: redaction.redactObject,
  redactString: redaction.redactString,
};
