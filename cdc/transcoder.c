/* See transcoder.h. Happy path: text that is ASCII is left where it is, other text is converted
 * into the arena by iconv(3). After a sequence that iconv refuses the next character of that
 * encoding begins where its lead byte says, so that one bad character costs no other. */
#include "cdc/transcoder.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

enum {
    ARENA_CHUNK_BYTES = 64 << 10,
    GROWTH = 3, /* bytes of UTF-8 for one of any server encoding, at the most */
};
#define ARENA_MAX_BYTES ((size_t)3 << 30) /* PostgreSQL's largest row, grown */

typedef enum { WIDTH_ONE, WIDTH_EUC, WIDTH_EUC_TW, WIDTH_TWO } character_width;

typedef struct {
    const char *postgres;
    const char *library;
    character_width width;
} encoding_name;

/* Server encodings but UTF8 and SQL_ASCII, which need none of this, and MULE_INTERNAL. */
static const encoding_name encodings[] = {
    {"EUC_CN", "EUC-CN", WIDTH_EUC},         {"EUC_JIS_2004", "EUC-JISX0213", WIDTH_EUC},
    {"EUC_JP", "EUC-JP", WIDTH_EUC},         {"EUC_KR", "EUC-KR", WIDTH_EUC},
    {"EUC_TW", "EUC-TW", WIDTH_EUC_TW},      {"ISO_8859_5", "ISO-8859-5", WIDTH_ONE},
    {"ISO_8859_6", "ISO-8859-6", WIDTH_ONE}, {"ISO_8859_7", "ISO-8859-7", WIDTH_ONE},
    {"ISO_8859_8", "ISO-8859-8", WIDTH_ONE}, {"JOHAB", "JOHAB", WIDTH_TWO},
    {"KOI8R", "KOI8-R", WIDTH_ONE},          {"KOI8U", "KOI8-U", WIDTH_ONE},
    {"LATIN1", "ISO-8859-1", WIDTH_ONE},     {"LATIN2", "ISO-8859-2", WIDTH_ONE},
    {"LATIN3", "ISO-8859-3", WIDTH_ONE},     {"LATIN4", "ISO-8859-4", WIDTH_ONE},
    {"LATIN5", "ISO-8859-9", WIDTH_ONE},     {"LATIN6", "ISO-8859-10", WIDTH_ONE},
    {"LATIN7", "ISO-8859-13", WIDTH_ONE},    {"LATIN8", "ISO-8859-14", WIDTH_ONE},
    {"LATIN9", "ISO-8859-15", WIDTH_ONE},    {"LATIN10", "ISO-8859-16", WIDTH_ONE},
    {"WIN866", "CP866", WIDTH_ONE},          {"WIN874", "CP874", WIDTH_ONE},
    {"WIN1250", "CP1250", WIDTH_ONE},        {"WIN1251", "CP1251", WIDTH_ONE},
    {"WIN1252", "CP1252", WIDTH_ONE},        {"WIN1253", "CP1253", WIDTH_ONE},
    {"WIN1254", "CP1254", WIDTH_ONE},        {"WIN1255", "CP1255", WIDTH_ONE},
    {"WIN1256", "CP1256", WIDTH_ONE},        {"WIN1257", "CP1257", WIDTH_ONE},
    {"WIN1258", "CP1258", WIDTH_ONE},
};

struct cdc_transcoder {
    iconv_t converter; /* (iconv_t)-1: none, ASCII only */
    character_width width;
    core_arena arena;
};

static const iconv_t no_converter = (iconv_t)-1;

cdc_transcoder *cdc_transcoder_new(const char *encoding) {
    cdc_transcoder *transcoder = calloc(1, sizeof *transcoder);
    if (transcoder == NULL)
        return NULL;
    transcoder->converter = no_converter;
    core_arena_init(&transcoder->arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    for (size_t i = 0; i < CORE_COUNT_OF(encodings); i++) {
        if (strcmp(encodings[i].postgres, encoding) != 0)
            continue;
        transcoder->converter = iconv_open("UTF-8", encodings[i].library);
        transcoder->width = encodings[i].width;
    }
    return transcoder;
}

void cdc_transcoder_free(cdc_transcoder *transcoder) {
    if (transcoder == NULL)
        return;
    if (transcoder->converter != no_converter)
        (void)iconv_close(transcoder->converter);
    core_arena_fini(&transcoder->arena);
    free(transcoder);
}

bool cdc_transcoder_is_able(const cdc_transcoder *transcoder) {
    return transcoder->converter != no_converter;
}

/* ---- One text ---- */

static bool is_ascii(core_slice text) {
    uint8_t any = 0;
    for (size_t i = 0; i < text.length; i++)
        any |= text.data[i];
    return any < 0x80;
}

/* Bytes of the character that begins with `lead`. */
static size_t character_length(character_width width, uint8_t lead) {
    if (lead < 0x80 || width == WIDTH_ONE)
        return 1;
    if (width == WIDTH_TWO)
        return 2;
    if (lead == 0x8e) /* SS2 */
        return width == WIDTH_EUC_TW ? 4 : 2;
    return lead == 0x8f ? 3 : 2; /* SS3 */
}

typedef struct {
    char *in;
    size_t in_left;
    char *out;
    size_t out_left;
} conversion;

static void character_replace(character_width width, conversion *state) {
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t length = character_length(width, (uint8_t)*state->in);
    length = length < state->in_left ? length : state->in_left;
    memcpy(state->out, replacement, sizeof replacement - 1);
    state->out += sizeof replacement - 1;
    state->out_left -= sizeof replacement - 1;
    state->in += length;
    state->in_left -= length;
}

static void ascii_copy(conversion *state) {
    *state->out++ = *state->in++;
    state->in_left--;
    state->out_left--;
}

/* Converts all; the room suffices. */
static void conversion_run(const cdc_transcoder *transcoder, conversion *state) {
    bool able = cdc_transcoder_is_able(transcoder);
    if (able)
        (void)iconv(transcoder->converter, NULL, NULL, NULL, NULL);
    while (state->in_left > 0) {
        if (able && iconv(transcoder->converter, &state->in, &state->in_left, &state->out,
                          &state->out_left) != (size_t)-1)
            break;
        assert(!able || errno != E2BIG);
        if (!able && (uint8_t)*state->in < 0x80)
            ascii_copy(state);
        else
            character_replace(transcoder->width, state);
    }
    if (able) /* what it held back to see whether it combines with a next one */
        (void)iconv(transcoder->converter, NULL, NULL, &state->out, &state->out_left);
}

static bool text_convert(cdc_transcoder *transcoder, core_slice *text, core_error *error) {
    if (is_ascii(*text))
        return true;
    size_t room = GROWTH * text->length;
    char *in = core_arena_alloc(&transcoder->arena, text->length); /* iconv takes no const */
    char *out = core_arena_alloc(&transcoder->arena, room);
    if (in == NULL || out == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT, "no room for %zu bytes of text",
                              text->length);
    memcpy(in, text->data, text->length);
    conversion state = {in, text->length, out, room};
    conversion_run(transcoder, &state);
    *text = core_slice_make(out, room - state.out_left);
    return true;
}

/* ---- Messages ---- */

static bool tuple_convert(cdc_transcoder *transcoder, const core_tuple *tuple, core_error *error) {
    for (size_t i = 0; i < tuple->count; i++)
        if (tuple->values[i].kind == CORE_VALUE_TEXT &&
            !text_convert(transcoder, &tuple->values[i].bytes, error))
            return false;
    return true;
}

static bool relation_convert(cdc_transcoder *transcoder, core_relation *relation,
                             core_error *error) {
    size_t count = relation->column_count;
    core_column *columns = core_arena_array(&transcoder->arena, count + 1, sizeof *columns);
    if (columns == NULL)
        return core_error_set(error, CORE_ERROR_LIMIT, "no room for %zu columns", count);
    for (size_t i = 0; i < count; i++) {
        columns[i] = relation->columns[i];
        if (!text_convert(transcoder, &columns[i].name, error))
            return false;
    }
    relation->columns = columns;
    return text_convert(transcoder, &relation->schema, error) &&
           text_convert(transcoder, &relation->table, error);
}

bool cdc_transcoder_message(cdc_transcoder *transcoder, cdc_message *message, core_error *error) {
    core_arena_reset(&transcoder->arena);
    switch (message->kind) {
    case CDC_INSERT:
    case CDC_UPDATE:
    case CDC_DELETE:
        return tuple_convert(transcoder, &message->row.old_tuple, error) &&
               tuple_convert(transcoder, &message->row.new_tuple, error);
    case CDC_RELATION:
        return relation_convert(transcoder, &message->relation, error);
    case CDC_TYPE:
        return text_convert(transcoder, &message->type.schema, error) &&
               text_convert(transcoder, &message->type.name, error);
    case CDC_ORIGIN:
        return text_convert(transcoder, &message->origin.name, error);
    case CDC_MESSAGE:
        return text_convert(transcoder, &message->message.prefix, error);
    case CDC_BEGIN:
    case CDC_COMMIT:
    case CDC_TRUNCATE:
        break;
    }
    return true;
}
