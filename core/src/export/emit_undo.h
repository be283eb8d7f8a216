/* Undefines the emitter, so that a template can be compiled for the next. */
#undef DJP__EMIT_PREFIX
#undef DJP__EMIT_STATE
#undef DJP__EMIT_THEN
#undef DJP__EMIT_IS_LINE
#undef DJP__EMIT_IS_BACKWARD
