/* Macros that compile a template for OTLP JSON. */
#include "export/emit.h"
#include "export/emit_json.h"
#define EMIT_PREFIX djp__otlp_json_
#define EMIT_STATE djp__buf *
#define EMIT_THEN DJP__FORWARD
#define EMIT_IS_BACKWARD 0
#define EMIT_IS_LINE 0
