/* Macros that compile a template for console lines. */
#include "export/emit.h"
#include "export/emit_console.h"
#define EMIT_PREFIX djp__console_
#define EMIT_STATE djp__buf *
#define EMIT_THEN DJP__FORWARD
#define EMIT_IS_BACKWARD 0
#define EMIT_IS_LINE 1
