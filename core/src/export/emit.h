/* How one traversal serves every form. A traversal names the fields of a message once, as calls of
 * an emitter's verbs; its template is compiled once for each emitter, whose verbs are inline
 * functions of one signature:
 *
 *     EMIT_STATE EMIT(verb)(EMIT_STATE at, unsigned number, const char *name, const char *label,
 * ...)
 *
 * number and name are those of OTLP in protobuf and in JSON, label is the name on a console line;
 * each emitter uses its own. The verbs: id, id_or_none, text (of the record), title (a line always
 * has it), made_text (from anywhere), word (an enumeration), time, duration, count, flags,
 * attributes, map, own_attribute, value; open and close around a message, attributes_begin and
 * attributes_end, list_begin and list_end.
 *
 * Protobuf is written backwards, so that every length is known when its turn comes, and needs the
 * fields in the opposite order. A list of fields is therefore written as nested pairs, THEN(first,
 * the rest), and EMIT_THEN puts each pair in order: DJP__FORWARD or DJP__BACKWARD. All of it is
 * resolved by the compiler. */
#ifndef DJP_EXPORT_EMIT_H
#define DJP_EXPORT_EMIT_H

#define DJP__FORWARD(first, rest) first rest
#define DJP__BACKWARD(first, rest) rest first

#define DJP__EMIT_JOIN_NOW(prefix, verb) prefix##verb
#define DJP__EMIT_JOIN(prefix, verb) DJP__EMIT_JOIN_NOW(prefix, verb)
/* The function of the emitter at hand; a template's own functions carry the same prefix. */
#define EMIT(verb) DJP__EMIT_JOIN(EMIT_PREFIX, verb)
/* One field as a statement. */
#define DJP__EMIT_FIELD(verb, ...) at = EMIT(verb)(at, __VA_ARGS__);

#endif
