/* How one traversal serves every form. A traversal lists the fields of a message once, as calls of
 * an emitter's verbs. Its template is compiled once per emitter, whose verbs are inline functions
 * of one signature:
 *
 *     DJP__EMIT_STATE DJP__EMIT(verb)(DJP__EMIT_STATE at, unsigned number, const char *name,
 *                           const char *label, ...)
 *
 * number is the field's number in protobuf, name its name in OTLP JSON, label its name on a console
 * line; each emitter uses one of them. The verbs: id, id_or_none, text (of the record), title (a
 * line always has it), made_text (from anywhere), word (an enumeration), time, duration, count,
 * flags, truth, real (a double, also zero), total and totals (64-bit counts), reals, signed_number,
 * varints, attributes,
 * map, own_attribute, own_number and own_truth, value; open and close around a message,
 * attributes_begin and attributes_end, list_begin and list_end.
 *
 * Protobuf is written backwards, so that each length is known when it is written, and needs the
 * fields in reverse order. So a list of fields is written as nested pairs, THEN(first, the rest),
 * and DJP__EMIT_THEN orders each pair: DJP__FORWARD or DJP__BACKWARD. The compiler resolves all of
 * it.
 */
#ifndef DJP_EXPORT_EMIT_H
#define DJP_EXPORT_EMIT_H

#define DJP__FORWARD(first, rest) first rest
#define DJP__BACKWARD(first, rest) rest first

#define DJP__EMIT_JOIN_NOW(prefix, verb) prefix##verb
#define DJP__EMIT_JOIN(prefix, verb) DJP__EMIT_JOIN_NOW(prefix, verb)
/* The current emitter's function; a template's functions carry the same prefix. */
#define DJP__EMIT(verb) DJP__EMIT_JOIN(DJP__EMIT_PREFIX, verb)
/* One field as a statement. */
#define DJP__EMIT_FIELD(verb, ...) at = DJP__EMIT(verb)(at, __VA_ARGS__);

#endif
