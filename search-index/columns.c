/* Cells of eight bytes: a number's own bits, or under the bits of NaNs that no number has a text's
 * id, a list's, or how the attribute stands there without a value. Cells are kept with the bits of
 * "nothing" flipped, so that fresh memory says that. */
#include "search-index/columns_private.h"

#include <stdlib.h>

#define COLUMNS_MAGIC    0x53434F4Cu
#define CELL_TEXT        UINT64_C(0xFFF9000000000000)
#define CELL_STATE       UINT64_C(0xFFFA000000000000)
#define CELL_LIST        UINT64_C(0xFFFB000000000000)
#define CELL_KIND_MASK   UINT64_C(0xFFFF000000000000)
#define CELL_NOTHING     CELL_STATE /* the bits of which fresh memory is the complement */
#define LIST_STATE_SHIFT 32
#define GEO_SCALE        1e7

/* ---- Cells ---- */
static uint64_t cell_bits(uint64_t cell) {
    return cell ^ CELL_NOTHING;
}

static uint64_t cell_of_number(double number) {
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    if (number != number)
        bits = UINT64_C(0x7FF8000000000000);
    return bits ^ CELL_NOTHING;
}

static uint64_t cell_of(uint64_t kind, uint64_t payload) {
    return (kind | payload) ^ CELL_NOTHING;
}

bool search_value_is_number(search_value value) {
    uint64_t kind = cell_bits(value.bits) & CELL_KIND_MASK;
    return kind != CELL_TEXT && kind != CELL_STATE && kind != CELL_LIST;
}

double search_value_number(search_value value) {
    uint64_t bits = cell_bits(value.bits);
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

uint32_t search_value_text(search_value value) {
    return (uint32_t)cell_bits(value.bits);
}

/* ---- Life ---- */
search_columns *search_columns_new(search_schema *schema, size_t max_bytes) {
    search_columns *columns = calloc(1, sizeof *columns);
    if (columns == NULL)
        return NULL;
    columns->magic = COLUMNS_MAGIC;
    columns->account.max_bytes = max_bytes;
    columns->rules.schema = search_schema_retain(schema);
    columns->rules.locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (columns->rules.locale == (locale_t)0)
        columns->rules.locale = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
    columns->has_geo = search_schema_is_filterable(schema, core_slice_text("_geo")) ||
                       search_schema_is_sortable(schema, core_slice_text("_geo"));
    if (columns->rules.locale != (locale_t)0)
        return columns;
    search_columns_free(columns);
    return NULL;
}

static void column_free(search_columns *columns, search_column *column) {
    for (uint32_t i = 0; i < column->list_end; i++) {
        if (column->lists[i].values == NULL)
            continue;
        search_account_give(&columns->account, column->lists[i].count * sizeof(search_value));
        free(column->lists[i].values);
    }
    search_texts_fini(&column->texts);
    free(column->lists);
    free(column->cells);
    free(column->name);
}

void search_columns_free(search_columns *columns) {
    if (columns == NULL)
        return;
    CORE_MAGIC_CHECK(columns, COLUMNS_MAGIC);
    for (uint32_t i = 0; i < columns->count; i++)
        column_free(columns, &columns->columns[i]);
    free(columns->columns);
    free(columns->live);
    free(columns->places);
    if (columns->rules.locale != (locale_t)0)
        freelocale(columns->rules.locale);
    search_schema_release(columns->rules.schema);
    columns->magic = 0;
    free(columns);
}

search_row *search_row_read(const search_columns *columns, core_slice json, core_error *error) {
    CORE_MAGIC_CHECK(columns, COLUMNS_MAGIC);
    return search_row_make(&columns->rules, json, error);
}

void search_columns_fold(const search_columns *columns, core_slice text, core_buffer *out) {
    search_row_fold(&columns->rules, text, out);
}

/* ---- Columns ---- */
uint32_t search_columns_find(const search_columns *columns, core_slice attribute) {
    for (uint32_t i = 0; i < columns->count; i++)
        if (columns->columns[i].name_length == attribute.length &&
            memcmp(columns->columns[i].name, attribute.data, attribute.length) == 0)
            return i;
    return SEARCH_COLUMN_NONE;
}

static uint32_t column_add(search_columns *columns, core_slice name) {
    void *list = columns->columns;
    if (columns->count == SEARCH_ATTRIBUTES_MAX ||
        !search_account_grow(&columns->account, &list, sizeof(search_column), &columns->capacity,
                             columns->count + 1))
        return SEARCH_COLUMN_NONE;
    columns->columns = list;
    char *copy = malloc(name.length > 0 ? name.length : 1);
    if (copy == NULL)
        return SEARCH_COLUMN_NONE;
    memcpy(copy, name.data, name.length);
    search_column *column = &columns->columns[columns->count];
    *column = (search_column){.name = copy, .name_length = name.length, .list_free = UINT32_MAX};
    search_texts_init(&column->texts, &columns->account);
    return columns->count++;
}

/* ---- Lists ---- */
static uint32_t list_id_take(search_columns *columns, search_column *column) {
    uint32_t id = column->list_free;
    if (id != UINT32_MAX) {
        column->list_free = column->lists[id].count;
        return id;
    }
    void *lists = column->lists;
    if (!search_account_grow(&columns->account, &lists, sizeof(search_list), &column->list_capacity,
                             column->list_end + 1))
        return UINT32_MAX;
    column->lists = lists;
    return column->list_end++;
}

static void list_id_give(search_column *column, uint32_t id) {
    column->lists[id] = (search_list){.values = NULL, .count = column->list_free};
    column->list_free = id;
}

static uint32_t list_take(search_columns *columns, search_column *column, uint32_t count) {
    uint32_t id = list_id_take(columns, column);
    size_t bytes = count * sizeof(search_value);
    if (id == UINT32_MAX)
        return UINT32_MAX;
    search_value *values = search_account_take(&columns->account, bytes) ? malloc(bytes) : NULL;
    if (values == NULL) {
        list_id_give(column, id);
        return UINT32_MAX;
    }
    column->lists[id] = (search_list){.values = values, .count = count};
    return id;
}

/* ---- Putting and removing ---- */
static void value_give(search_column *column, search_value value) {
    if (!search_value_is_number(value))
        search_texts_give(&column->texts, search_value_text(value));
}

static void cell_clear(search_columns *columns, search_column *column, search_docid docid) {
    if (docid >= column->cell_capacity)
        return;
    uint64_t bits = cell_bits(column->cells[docid]);
    if ((bits & CELL_KIND_MASK) == CELL_LIST) {
        search_list *list = &column->lists[(uint32_t)bits];
        for (uint32_t i = 0; i < list->count; i++)
            value_give(column, list->values[i]);
        search_account_give(&columns->account, list->count * sizeof(search_value));
        free(list->values);
        list_id_give(column, (uint32_t)bits);
    } else if ((bits & CELL_KIND_MASK) == CELL_TEXT) {
        search_texts_give(&column->texts, (uint32_t)bits);
    }
    column->cells[docid] = 0;
}

static bool value_make(search_column *column, const search_row_value *from, search_value *value) {
    if (from->is_number) {
        value->bits = cell_of_number(from->number);
        return true;
    }
    uint32_t id = search_texts_take(&column->texts, from->folded, from->shown);
    value->bits = cell_of(CELL_TEXT, id);
    return id != SEARCH_TEXTS_NONE;
}

static bool list_make(search_columns *columns, search_column *column,
                      const search_row_attribute *attribute, uint64_t *cell) {
    uint32_t id = list_take(columns, column, attribute->count);
    if (id == UINT32_MAX)
        return false;
    uint32_t made = 0;
    const search_row_value *from = attribute->first;
    for (; made < attribute->count; from = from->next, made++)
        if (!value_make(column, from, &column->lists[id].values[made]))
            break;
    if (made == attribute->count) {
        *cell = cell_of(CELL_LIST, (uint64_t)attribute->state << LIST_STATE_SHIFT | id);
        return true;
    }
    while (made > 0)
        value_give(column, column->lists[id].values[--made]);
    search_account_give(&columns->account, attribute->count * sizeof(search_value));
    free(column->lists[id].values);
    list_id_give(column, id);
    return false;
}

static bool attribute_put(search_columns *columns, search_docid docid,
                          const search_row_attribute *attribute) {
    uint32_t found = search_columns_find(columns, attribute->name);
    if (found == SEARCH_COLUMN_NONE && columns->count == SEARCH_ATTRIBUTES_MAX)
        return true; /* no more are filtered by; the schema says so */
    if (found == SEARCH_COLUMN_NONE)
        found = column_add(columns, attribute->name);
    if (found == SEARCH_COLUMN_NONE)
        return false;
    search_column *column = &columns->columns[found];
    void *cells = column->cells;
    if (!search_account_grow(&columns->account, &cells, sizeof(uint64_t), &column->cell_capacity,
                             docid + 1))
        return false;
    column->cells = cells;
    uint64_t *cell = &column->cells[docid];
    if (attribute->count == 0) {
        *cell = cell_of(CELL_STATE, attribute->state);
        return true;
    }
    if (attribute->count > 1 || attribute->state != SEARCH_STATE_EXISTS)
        return list_make(columns, column, attribute, cell);
    search_value value;
    if (!value_make(column, attribute->first, &value))
        return false;
    *cell = value.bits;
    return true;
}

static bool geo_put(search_columns *columns, search_docid docid, const search_row *row) {
    if (!columns->has_geo || (columns->places == NULL && !row->has_latitude))
        return true;
    void *places = columns->places;
    if (!search_account_grow(&columns->account, &places, sizeof(search_place),
                             &columns->place_capacity, docid + 1))
        return false;
    columns->places = places;
    bool is_there = row->has_latitude && row->has_longitude && row->latitude >= -90 &&
                    row->latitude <= 90 && row->longitude >= -180 && row->longitude <= 180;
    columns->places[docid] =
        (search_place){.latitude = is_there ? (int32_t)(row->latitude * GEO_SCALE) : 0,
                       .longitude = is_there ? (int32_t)(row->longitude * GEO_SCALE) : 0,
                       .is_there = is_there};
    return true;
}

static bool live_set(search_columns *columns, search_docid docid) {
    void *live = columns->live;
    if (!search_account_grow(&columns->account, &live, sizeof(uint64_t), &columns->live_capacity,
                             docid / 64 + 1))
        return false;
    columns->live = live;
    columns->live[docid / 64] |= UINT64_C(1) << docid % 64;
    columns->documents++;
    if (docid >= columns->end)
        columns->end = docid + 1;
    return true;
}

static void values_clear(search_columns *columns, search_docid docid) {
    for (uint32_t i = 0; i < columns->count; i++)
        cell_clear(columns, &columns->columns[i], docid);
    if (docid < columns->place_capacity)
        columns->places[docid].is_there = false;
}

bool search_columns_put(search_columns *columns, search_docid docid, const search_row *row,
                        core_error *error) {
    CORE_MAGIC_CHECK(columns, COLUMNS_MAGIC);
    assert(docid > 0 && docid <= SEARCH_DOCID_MAX);
    search_columns_remove(columns, docid);
    bool put = live_set(columns, docid) && geo_put(columns, docid, row);
    for (const search_row_attribute *at = row->attributes; put && at != NULL; at = at->next)
        put = attribute_put(columns, docid, at);
    if (put)
        return true;
    values_clear(columns, docid);
    return core_error_set(error, CORE_ERROR_LIMIT,
                          "search columns: filterable and sortable attributes take more than %zu "
                          "bytes of memory; make fewer attributes so, or raise the maximum",
                          columns->account.max_bytes);
}

void search_columns_remove(search_columns *columns, search_docid docid) {
    CORE_MAGIC_CHECK(columns, COLUMNS_MAGIC);
    if (!search_columns_has(columns, docid))
        return;
    values_clear(columns, docid);
    columns->live[docid / 64] &= ~(UINT64_C(1) << docid % 64);
    columns->documents--;
}

/* ---- Reading ---- */
size_t search_columns_bytes(const search_columns *columns) {
    return columns->account.bytes;
}

search_docid search_columns_end(const search_columns *columns) {
    return columns->end;
}

uint32_t search_columns_documents(const search_columns *columns) {
    return columns->documents;
}

bool search_columns_has(const search_columns *columns, search_docid docid) {
    return docid < columns->end && (columns->live[docid / 64] >> docid % 64 & 1) != 0;
}

uint32_t search_columns_count(const search_columns *columns) {
    return columns->count;
}

static const search_column *column_at(const search_columns *columns, uint32_t column) {
    assert(column < columns->count);
    return &columns->columns[column];
}

core_slice search_column_name(const search_columns *columns, uint32_t column) {
    const search_column *found = column_at(columns, column);
    return core_slice_make(found->name, found->name_length);
}

unsigned search_column_state(const search_columns *columns, uint32_t column, search_docid docid) {
    const search_column *found = column_at(columns, column);
    uint64_t bits = cell_bits(docid < found->cell_capacity ? found->cells[docid] : 0);
    switch (bits & CELL_KIND_MASK) {
    case CELL_STATE:
        return (unsigned)bits;
    case CELL_LIST:
        return (unsigned)(bits >> LIST_STATE_SHIFT) & 7u;
    default:
        return SEARCH_STATE_EXISTS;
    }
}

search_values search_column_values(const search_columns *columns, uint32_t column,
                                   search_docid docid) {
    const search_column *found = column_at(columns, column);
    uint64_t bits = cell_bits(docid < found->cell_capacity ? found->cells[docid] : 0);
    if ((bits & CELL_KIND_MASK) == CELL_STATE)
        return (search_values){.count = 0};
    if ((bits & CELL_KIND_MASK) == CELL_LIST)
        return (search_values){.values = found->lists[(uint32_t)bits].values,
                               .count = found->lists[(uint32_t)bits].count};
    return (search_values){.values = (const search_value *)&found->cells[docid], .count = 1};
}

uint32_t search_column_text_find(const search_columns *columns, uint32_t column, core_slice text) {
    uint8_t room[SEARCH_COLUMN_TEXT_MAX + 8];
    core_buffer folded = core_buffer_over(room, sizeof room);
    search_row_fold(&columns->rules, text, &folded);
    return search_texts_find(&column_at(columns, column)->texts, core_buffer_slice(&folded));
}

uint32_t search_column_text_end(const search_columns *columns, uint32_t column) {
    return column_at(columns, column)->texts.end;
}

core_slice search_column_text(const search_columns *columns, uint32_t column, uint32_t text) {
    return search_texts_folded(&column_at(columns, column)->texts, text);
}

core_slice search_column_text_shown(const search_columns *columns, uint32_t column, uint32_t text) {
    return search_texts_shown(&column_at(columns, column)->texts, text);
}

bool search_columns_geo(const search_columns *columns, search_docid docid, double *latitude,
                        double *longitude) {
    if (docid >= columns->place_capacity || !columns->places[docid].is_there)
        return false;
    *latitude = columns->places[docid].latitude / GEO_SCALE;
    *longitude = columns->places[docid].longitude / GEO_SCALE;
    return true;
}
