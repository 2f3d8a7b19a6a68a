/* What the open group changes in memory, gathered beside it until the file has it.
 *
 * The shared structures (terms, norms, columns) are read by queries all the while, so a group's
 * changes wait here and are put there in one go right behind the commit. A rollback empties it.
 * Owned by the writer. */
#ifndef WALCAST_SEARCH_INDEX_STAGE_H
#define WALCAST_SEARCH_INDEX_STAGE_H

#include "search-index/columns.h"

#include "search-index/tokenizer_fts.h"

#define SEARCH_STAGE_TERMS_MAX      (1u << 22)
#define SEARCH_STAGE_TERM_BYTES_MAX ((size_t)64 << 20)

typedef struct {
    uint32_t offset; /* into `bytes` */
    uint8_t length;
    int32_t documents; /* how many more, or fewer, it stands in */
    uint32_t stamp;    /* of the document that was counted last */
} search_stage_term;

typedef enum {
    SEARCH_STAGE_PUT,
    SEARCH_STAGE_HIDE,   /* kept, and found by no query */
    SEARCH_STAGE_REMOVE, /* gone */
} search_stage_kind;

typedef struct {
    search_docid docid;
    search_stage_kind kind;
    uint8_t norm;
    bool was_hidden;
    bool is_new;
    search_row *row;    /* of PUT */
    search_row *before; /* of what was there and was not hidden */
} search_stage_change;

typedef struct {
    search_stage_change *changes;
    uint32_t change_count;
    uint32_t change_capacity;
    search_stage_term *terms;
    uint32_t term_count;
    uint32_t term_capacity;
    uint32_t *places; /* of terms, by hash: number + 1 */
    uint32_t place_count;
    core_buffer bytes;
    bool is_cleared; /* everything went before the changes here */
    bool is_failed;  /* memory is out, or a maximum */
    /* While a document goes through the tokenizer. */
    uint32_t stamp;
    int32_t sign;
    uint32_t words;
} search_stage;

void search_stage_init(search_stage *stage);
void search_stage_fini(search_stage *stage);
/* Forgets all; keeps memory for the next group. */
void search_stage_reset(search_stage *stage);
/* A document comes (1) or goes (-1): its words are counted by search_stage_word. */
void search_stage_document(search_stage *stage, int32_t sign);
/* As search_word_seen; the context is the stage. */
void search_stage_word(void *context, const search_token *token);
/* Takes the rows. False: memory, or SEARCH_GROUP_ITEMS_MAX would be passed twice over. */
CORE_MUST_CHECK bool search_stage_add(search_stage *stage, const search_stage_change *change);
core_slice search_stage_term_text(const search_stage *stage, const search_stage_term *term);

#endif
