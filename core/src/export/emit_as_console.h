/* Macros that compile a template for console lines. */
#include "export/emit.h"
#include "export/emit_console.h"
#define DJP__EMIT_PREFIX djp__console_
#define DJP__EMIT_STATE djp__buf *
#define DJP__EMIT_THEN DJP__FORWARD
#define DJP__EMIT_IS_BACKWARD 0
#define DJP__EMIT_IS_LINE 1
