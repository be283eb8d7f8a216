/* The fields of the test signal of test_emit.c, in the numbers of OTLP's LogRecord: all that a
 * second signal writes down. */
#ifndef TESTS_EXPORT_NOTE_FIELDS_H
#define TESTS_EXPORT_NOTE_FIELDS_H

/* clang-format off */
#define NOTE_TIME(F) F(time, 1, "timeUnixNano", "time", note->unix_ns)
#define NOTE_SEVERITY(F)                                                                           \
    F(word, 2, "severityNumber", "severity", note->severity, note_severities, 3)
#define NOTE_BODY(F) F(value, 5, "body", "body", walk, note_body(walk, item))
#define NOTE_ATTRIBUTES(F, THEN) \
    THEN(F(attributes_begin, 6, "attributes", "attributes"), \
    THEN(F(attributes, 6, "attributes", "attributes", walk, item->attributes), \
    F(attributes_end, 6, "attributes", "attributes")))
#define NOTE_FLAGS(F) F(flags, 8, "flags", NULL, note->flags)
#define NOTE_TRACE_ID(F) F(id, 9, "traceId", "trace_id", note->trace_id, sizeof note->trace_id)
#define NOTE_FIELDS(F, THEN) \
    THEN(NOTE_TIME(F), THEN(NOTE_SEVERITY(F), THEN(NOTE_BODY(F), \
    THEN(NOTE_ATTRIBUTES(F, THEN), THEN(NOTE_FLAGS(F), NOTE_TRACE_ID(F))))))
#define NOTE_LINE(F, THEN) \
    NOTE_TIME(F) NOTE_SEVERITY(F) NOTE_BODY(F) NOTE_ATTRIBUTES(F, THEN) NOTE_TRACE_ID(F)
/* clang-format on */

#endif
