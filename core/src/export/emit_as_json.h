/* Macros that compile a template for OTLP JSON. */
#include "export/emit.h"
#include "export/emit_json.h"
#define DJP__EMIT_PREFIX djp__otlp_json_
#define DJP__EMIT_STATE djp__buf *
#define DJP__EMIT_THEN DJP__FORWARD
#define DJP__EMIT_IS_BACKWARD 0
#define DJP__EMIT_IS_LINE 0
