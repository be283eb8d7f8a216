/* A second signal: one list of fields and one traversal give protobuf, OTLP JSON and console lines,
 * with the resource, scopes and batches of the encoder; and a stage in front of the encoder that
 * rewrites values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "djp/error.h"
#include "export/encoder_parts.h"
#include "export/otlp_trace.h"
#include "record_builder.h"

#include "note_fields.h"

/* A record with a body and one attribute behind its head, as items. */
typedef struct note_record {
    uint64_t unix_ns;
    uint32_t severity, flags;
    uint8_t trace_id[16];
    djp_scope scope;
    uint32_t size; /* whole */
    uint64_t items[16];
} note_record;

static const char *const note_severities[3] = {"NONE", "TRACE", "DEBUG"};
static djp_key note_key;

/* The first item. */
static const djp__item *
note_body(const djp__walk *walk, const djp__encode_item *item)
{
    (void)item;
    return djp__walk_item(walk, (uint32_t)offsetof(note_record, items));
}

#include "export/emit_as_protobuf.h"
#include "note_template.h"

#include "export/emit_as_json.h"
#include "note_template.h"

#include "export/emit_as_console.h"
#include "note_template.h"

static djp_scope
note_scope(const void *record)
{
    return ((const note_record *)record)->scope;
}

static int
note_read(djp__encode_item *item, djp__encoder *encoder)
{
    const note_record *note = item->record;
    uint32_t first = (uint32_t)offsetof(note_record, items);
    djp__walk_begin(&encoder->walk, note, note->size);
    int rc = djp__walk_keys(&encoder->walk, first, note->size);
    first = (uint32_t)((const char *)djp__item_next(djp__walk_item(&encoder->walk, first)) -
                       (const char *)note);
    item->attributes = djp__walk_attributes(&encoder->walk, first, note->size);
    item->made = item->own = (djp_text){NULL, 0};
    return rc != 0 ? rc : encoder->walk.error;
}

static size_t
note_bound(const djp__walk *walk, const djp__encode_item *item)
{
    (void)item;
    return 2 * (size_t)walk->end + walk->attributes * (size_t)walk->key_max + 128;
}

static const djp__encode_signal note_signal = {
    .resource_list = "resourceNotes",
    .scope_list = "scopeNotes",
    .item_list = "notes",
    .scope = note_scope,
    .read = note_read,
    .bound = note_bound,
    .protobuf = djp__protobuf_note,
    .json = djp__otlp_json_note,
    .console = djp__console_note,
};

static char *
note_add_item(char *at, djp_key key, const char *text)
{
    djp__item head = {key, djp__item_head(DJP_ITEM_ATTRIBUTE, DJP_STRING, strlen(text))};
    memcpy(at, &head, sizeof head);
    memcpy(at + sizeof head, text, strlen(text));
    return at + sizeof head + djp__pad8(strlen(text));
}

/* In a block of exactly its size. */
static note_record *
note_new(const char *body, const char *value)
{
    note_record *note = calloc(1, sizeof *note);
    assert_non_null(note);
    note->unix_ns = UINT64_C(1769860800000000000);
    note->severity = 2;
    note->flags = 0x101;
    memset(note->trace_id, 0xab, sizeof note->trace_id);
    char *end = note_add_item(note_add_item((char *)note->items, note_key, body), note_key, value);
    note->size = (uint32_t)(end - (char *)note);
    return note;
}

/* The batch of one note, as text that the caller frees. */
static char *
note_encode(djp__encoding encoding, size_t *size, djp__encode_rewrite rewrite, void *user)
{
    static const djp_attribute resource[] = {
        {{"service.name", 12}, {DJP_STRING, {.text = {"orders", 6}}}}};
    djp__encoder *encoder;
    djp__buf out;
    djp__buf_init(&out, 0);
    note_record *note = note_new("hello", "v1");
    assert_int_equal(djp__encoder_new(&encoder, &note_signal, encoding, resource, 1), 0);
    djp__encoder_set_rewrite(encoder, rewrite, user);
    assert_int_equal(djp__encoder_add(encoder, note), 0);
    assert_int_equal(djp__encoder_items(encoder), 1);
    assert_int_equal(djp__encoder_finish(encoder, &out), 0);
    djp__encoder_free(encoder);
    free(note);
    char *text = malloc(out.size + 1);
    assert_non_null(text);
    memcpy(text, out.data, out.size);
    text[out.size] = '\0';
    *size = out.size;
    djp__buf_fini(&out);
    return text;
}

static void
one_traversal_gives_protobuf(void **state)
{
    static const char expected[] =
        "\x0a\x5e" /* resource_notes */
        "\x0a\x1a" /* resource */
        "\x0a\x18\x0a\x0cservice.name\x12\x08\x0a\x06orders"
        "\x12\x40" /* scope_notes, without a scope */
        "\x12\x3e" /* the note */
        "\x09\x00\x80\xe3\x3d\x05\xcf\x8f\x18" /* time */
        "\x10\x02" /* severity */
        "\x2a\x07\x0a\x05hello" /* body */
        "\x32\x11\x0a\x09note.test\x12\x04\x0a\x02v1" /* attribute */
        "\x45\x01\x01\x00\x00" /* flags */
        "\x4a\x10\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab\xab";
    size_t size;
    (void)state;
    char *text = note_encode(DJP__ENCODE_PROTOBUF, &size, NULL, NULL);
    assert_memory_equal(text, expected, size < sizeof expected - 1 ? size : sizeof expected - 1);
    assert_int_equal(size, sizeof expected - 1);
    free(text);
}

static void
one_traversal_gives_json(void **state)
{
    size_t size;
    (void)state;
    char *text = note_encode(DJP__ENCODE_JSON, &size, NULL, NULL);
    assert_string_equal(
        text,
        "{\"resourceNotes\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{"
        "\"stringValue\":\"orders\"}}]},\"scopeNotes\":[{\"notes\":[{\"timeUnixNano\":"
        "\"1769860800000000000\",\"severityNumber\":2,\"body\":{\"stringValue\":\"hello\"},"
        "\"attributes\":[{\"key\":\"note.test\",\"value\":{\"stringValue\":\"v1\"}}],\"flags\":257,"
        "\"traceId\":\"abababababababababababababababab\"}]}]}]}");
    free(text);
}

static void
one_traversal_gives_console_lines(void **state)
{
    static const djp__encoding lines[] = {DJP__ENCODE_CONSOLE, DJP__ENCODE_PRETTY};
    size_t size;
    (void)state;
    for (size_t i = 0; i < 2; i++) { /* a signal without a form for people has lines there, too */
        char *text = note_encode(lines[i], &size, NULL, NULL);
        assert_string_equal(
            text,
            "{\"time\":\"2026-01-31T12:00:00.000000Z\",\"severity\":\"DEBUG\",\"body\":\"hello\","
            "\"attributes\":{\"note.test\":\"v1\"},\"trace_id\":"
            "\"abababababababababababababababab\","
            "\"scope\":{\"name\":\"\"},\"resource\":{\"service.name\":\"orders\"}}\n");
        free(text);
    }
}

/* A redaction: the record stays as it is, what leaves is another one. */
static const void *
note_redact(void *user, const void *record)
{
    note_record *copy = user;
    memcpy(copy, record, sizeof *copy);
    const djp__item *body = (const djp__item *)(const void *)copy->items;
    if (djp__key_entry_of(body->key)->class != 0) { /* a key whose values may leave as they are */
        return record;
    }
    memcpy((char *)copy->items + sizeof(djp__item), "*****", 5);
    return copy;
}

static const void *
note_redact_without_memory(void *user, const void *record)
{
    (void)user;
    (void)record;
    return NULL;
}

static void
a_stage_before_the_encoder_rewrites_values(void **state)
{
    note_record copy;
    size_t size;
    (void)state;
    char *text = note_encode(DJP__ENCODE_JSON, &size, note_redact, &copy);
    assert_non_null(strstr(text, "\"body\":{\"stringValue\":\"*****\"}"));
    assert_null(strstr(text, "hello"));
    free(text);

    djp__encoder *encoder;
    note_record *note = note_new("hello", "v1");
    assert_int_equal(djp__encoder_new(&encoder, &note_signal, DJP__ENCODE_PROTOBUF, NULL, 0), 0);
    djp__encoder_set_rewrite(encoder, note_redact_without_memory, NULL);
    assert_int_equal(djp__encoder_add(encoder, note), DJP_ENOMEM);
    assert_int_equal(djp__encoder_items(encoder), 0);
    djp__encoder_set_rewrite(encoder, NULL, NULL);
    assert_int_equal(djp__encoder_add(encoder, note), 0);
    djp__encoder_free(encoder);
    free(note);
}

static void
damage_of_a_second_signal_writes_nothing(void **state)
{
    (void)state;
    for (int encoding = DJP__ENCODE_PROTOBUF; encoding <= DJP__ENCODE_PRETTY; encoding++) {
        djp__encoder *encoder;
        djp__buf out;
        djp__buf_init(&out, 0);
        note_record *note = note_new("hello", "v1");
        note->items[0] |= UINT64_C(0xffff) << 32; /* the body's size */
        assert_int_equal(djp__encoder_new(&encoder, &note_signal, (djp__encoding)encoding, NULL, 0),
                         0);
        assert_int_equal(djp__encoder_add(encoder, note), DJP_EPROTO);
        note->scope = DJP_SCOPE_LIMIT + 1;
        assert_int_equal(djp__encoder_add(encoder, note), DJP_EPROTO);
        assert_int_equal(djp__encoder_finish(encoder, &out), 0);
        assert_int_equal(out.size, 0);
        djp__encoder_free(encoder);
        djp__buf_fini(&out);
        free(note);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_traversal_gives_protobuf),
        cmocka_unit_test(one_traversal_gives_json),
        cmocka_unit_test(one_traversal_gives_console_lines),
        cmocka_unit_test(a_stage_before_the_encoder_rewrites_values),
        cmocka_unit_test(damage_of_a_second_signal_writes_nothing),
    };
    note_key = djp_key_intern(DJP_TEXT("note.test"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
