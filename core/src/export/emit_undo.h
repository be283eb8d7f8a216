/* Undefines the emitter, so that a template can be compiled for the next. */
#undef EMIT_PREFIX
#undef EMIT_STATE
#undef EMIT_THEN
#undef EMIT_IS_LINE
#undef EMIT_IS_BACKWARD
