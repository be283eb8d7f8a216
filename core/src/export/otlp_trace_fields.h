/* The fields of OTLP's Span, its events, links and status: number, name and value of each, once for
 * every form. The first list of a message is OTLP's, in ascending order of the numbers; the second
 * is the order of a console line. A list is for a function that has the names record, item and walk
 * (a span), event, link or list in scope; F is DJP__EMIT_FIELD. */
#ifndef DJP_EXPORT_OTLP_TRACE_FIELDS_H
#define DJP_EXPORT_OTLP_TRACE_FIELDS_H

/* Nested pairs that read as lists. */
/* clang-format off */

/* ---- Span ---- */
#define DJP__SPAN_TRACE_ID(F) \
    F(id, 1, "traceId", "trace_id", record->trace_id, sizeof record->trace_id)
#define DJP__SPAN_ID(F) F(id, 2, "spanId", "span_id", record->span_id, sizeof record->span_id)
#define DJP__SPAN_STATE(F) F(made_text, 3, "traceState", "trace_state", item->made)
#define DJP__SPAN_PARENT(F) F(id_or_none, 4, "parentSpanId", "parent_id", record->parent_id)
#define DJP__SPAN_NAME(F) \
    F(title, 5, "name", "name", djp__walk_text(record, record->name_at, record->name_size))
#define DJP__SPAN_KIND(F) \
    F(word, 6, "kind", "kind", record->kind, otlp_trace_kind_words, OTLP_TRACE_KINDS)
#define DJP__SPAN_START(F) F(time, 7, "startTimeUnixNano", "start", record->start_unix_ns)
#define DJP__SPAN_END(F) F(time, 8, "endTimeUnixNano", "end", record->end_unix_ns)
#define DJP__SPAN_DURATION(F) \
    F(duration, 0, NULL, "duration_ms", record->start_unix_ns, record->end_unix_ns)
#define DJP__SPAN_ATTRIBUTES(F, THEN) \
    THEN(F(attributes_begin, 9, "attributes", "attributes"), \
    THEN(F(attributes, 9, "attributes", "attributes", walk, item->attributes), \
    THEN(F(own_attribute, 9, "attributes", "attributes", otlp_trace_reason_key(), item->own), \
    F(attributes_end, 9, "attributes", "attributes"))))
#define DJP__SPAN_DROPPED_ATTRIBUTES(F) \
    F(count, 10, "droppedAttributesCount", "dropped_attributes", record->dropped_attributes)
#define DJP__SPAN_EVENTS(F) F(span_others, 11, "events", "events", walk, DJP_ITEM_EVENT)
#define DJP__SPAN_DROPPED_EVENTS(F) \
    F(count, 12, "droppedEventsCount", "dropped_events", record->dropped_events)
#define DJP__SPAN_LINKS(F) F(span_others, 13, "links", "links", walk, DJP_ITEM_LINK)
#define DJP__SPAN_DROPPED_LINKS(F) \
    F(count, 14, "droppedLinksCount", "dropped_links", record->dropped_links)
#define DJP__SPAN_STATUS(F) F(span_status, 15, "status", "status", record)
#define DJP__SPAN_FLAGS(F) \
    F(flags, 16, "flags", NULL, \
      record->trace_flags | 0x100u | (record->parent_remote != 0 ? 0x200u : 0u))

#define DJP__SPAN_FIELDS(F, THEN) \
    THEN(DJP__SPAN_TRACE_ID(F), \
    THEN(DJP__SPAN_ID(F), \
    THEN(DJP__SPAN_STATE(F), \
    THEN(DJP__SPAN_PARENT(F), \
    THEN(DJP__SPAN_NAME(F), \
    THEN(DJP__SPAN_KIND(F), \
    THEN(DJP__SPAN_START(F), \
    THEN(DJP__SPAN_END(F), \
    THEN(DJP__SPAN_ATTRIBUTES(F, THEN), \
    THEN(DJP__SPAN_DROPPED_ATTRIBUTES(F), \
    THEN(DJP__SPAN_EVENTS(F), \
    THEN(DJP__SPAN_DROPPED_EVENTS(F), \
    THEN(DJP__SPAN_LINKS(F), \
    THEN(DJP__SPAN_DROPPED_LINKS(F), \
    THEN(DJP__SPAN_STATUS(F), \
    DJP__SPAN_FLAGS(F))))))))))))))))

#define DJP__SPAN_LINE(F, THEN) \
    DJP__SPAN_NAME(F) \
    DJP__SPAN_TRACE_ID(F) DJP__SPAN_ID(F) DJP__SPAN_PARENT(F) DJP__SPAN_STATE(F) \
    DJP__SPAN_KIND(F) DJP__SPAN_START(F) DJP__SPAN_END(F) DJP__SPAN_DURATION(F) \
    DJP__SPAN_STATUS(F) DJP__SPAN_ATTRIBUTES(F, THEN) DJP__SPAN_DROPPED_ATTRIBUTES(F) \
    DJP__SPAN_EVENTS(F) DJP__SPAN_DROPPED_EVENTS(F) DJP__SPAN_LINKS(F) DJP__SPAN_DROPPED_LINKS(F)

/* ---- Status ---- */
#define DJP__STATUS_MESSAGE(F) \
    F(text, 2, "message", "message", djp__walk_text(record, record->status_at, record->status_size))
#define DJP__STATUS_CODE(F) \
    F(word, 3, "code", "code", record->status, otlp_trace_status_words, OTLP_TRACE_STATUS_CODES)
#define DJP__STATUS_FIELDS(F, THEN) THEN(DJP__STATUS_MESSAGE(F), DJP__STATUS_CODE(F))
#define DJP__STATUS_LINE(F, THEN) DJP__STATUS_CODE(F) DJP__STATUS_MESSAGE(F)

/* ---- attributes of events and links ---- */
#define DJP__LIST_ATTRIBUTES(F, THEN, number) \
    THEN(F(attributes_begin, number, "attributes", "attributes"), \
    THEN(F(attributes, number, "attributes", "attributes", walk, list), \
    F(attributes_end, number, "attributes", "attributes")))

/* ---- Span.Event ---- */
#define DJP__EVENT_TIME(F) F(time, 1, "timeUnixNano", "time", event->head.time_unix_ns)
#define DJP__EVENT_NAME(F) F(title, 2, "name", "name", event->name)
#define DJP__EVENT_DROPPED(F) \
    F(count, 4, "droppedAttributesCount", "dropped_attributes", event->head.dropped_attributes)
#define DJP__EVENT_FIELDS(F, THEN) \
    THEN(DJP__EVENT_TIME(F), \
    THEN(DJP__EVENT_NAME(F), \
    THEN(DJP__LIST_ATTRIBUTES(F, THEN, 3), \
    DJP__EVENT_DROPPED(F))))
#define DJP__EVENT_LINE(F, THEN) \
    DJP__EVENT_NAME(F) DJP__EVENT_TIME(F) DJP__LIST_ATTRIBUTES(F, THEN, 3) DJP__EVENT_DROPPED(F)

/* ---- Span.Link ---- */
#define DJP__LINK_TRACE_ID(F) \
    F(id, 1, "traceId", "trace_id", link->head.trace_id, sizeof link->head.trace_id)
#define DJP__LINK_SPAN_ID(F) \
    F(id, 2, "spanId", "span_id", link->head.span_id, sizeof link->head.span_id)
#define DJP__LINK_STATE(F) F(text, 3, "traceState", "trace_state", link->state)
#define DJP__LINK_DROPPED(F) \
    F(count, 5, "droppedAttributesCount", "dropped_attributes", link->head.dropped_attributes)
#define DJP__LINK_FLAGS(F) F(flags, 6, "flags", NULL, link->head.flags)
#define DJP__LINK_FIELDS(F, THEN) \
    THEN(DJP__LINK_TRACE_ID(F), \
    THEN(DJP__LINK_SPAN_ID(F), THEN(DJP__LINK_STATE(F), THEN(DJP__LIST_ATTRIBUTES(F, THEN, 4), \
    THEN(DJP__LINK_DROPPED(F), DJP__LINK_FLAGS(F))))))
#define DJP__LINK_LINE(F, THEN) \
    DJP__LINK_TRACE_ID(F) DJP__LINK_SPAN_ID(F) DJP__LINK_STATE(F) \
    DJP__LIST_ATTRIBUTES(F, THEN, 4) DJP__LINK_DROPPED(F)

/* clang-format on */

#endif
