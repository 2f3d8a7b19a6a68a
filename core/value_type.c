/* The built-in types: what the catalog's bootstrap data gives a fixed OID, so that a relation's
 * columns have names without asking the database. Extensions, enums, domains and the like have OIDs
 * of their own in each database; pgoutput's Type message names those.
 *
 * From pg_type of PostgreSQL 15 (base, range and multirange types and arrays of them):
 *   select oid, case when left(typname, 1) = '_' and typcategory = 'A' then typelem else 0 end,
 *          typname from pg_type where oid < 10000 and typtype in ('b', 'r', 'm') order by oid */
#include "core/value.h"

typedef struct {
    uint32_t oid;
    uint32_t element; /* of an array; 0 otherwise */
    const char *name;
} builtin_type;

/* Sorted by OID. */
static const builtin_type builtin_types[] = {
    {16, 0, "bool"},
    {17, 0, "bytea"},
    {18, 0, "char"},
    {19, 0, "name"},
    {20, 0, "int8"},
    {21, 0, "int2"},
    {22, 0, "int2vector"},
    {23, 0, "int4"},
    {24, 0, "regproc"},
    {25, 0, "text"},
    {26, 0, "oid"},
    {27, 0, "tid"},
    {28, 0, "xid"},
    {29, 0, "cid"},
    {30, 0, "oidvector"},
    {114, 0, "json"},
    {142, 0, "xml"},
    {143, 142, "_xml"},
    {194, 0, "pg_node_tree"},
    {199, 114, "_json"},
    {210, 71, "_pg_type"},
    {270, 75, "_pg_attribute"},
    {271, 5069, "_xid8"},
    {272, 81, "_pg_proc"},
    {273, 83, "_pg_class"},
    {600, 0, "point"},
    {601, 0, "lseg"},
    {602, 0, "path"},
    {603, 0, "box"},
    {604, 0, "polygon"},
    {628, 0, "line"},
    {629, 628, "_line"},
    {650, 0, "cidr"},
    {651, 650, "_cidr"},
    {700, 0, "float4"},
    {701, 0, "float8"},
    {718, 0, "circle"},
    {719, 718, "_circle"},
    {774, 0, "macaddr8"},
    {775, 774, "_macaddr8"},
    {790, 0, "money"},
    {791, 790, "_money"},
    {829, 0, "macaddr"},
    {869, 0, "inet"},
    {1000, 16, "_bool"},
    {1001, 17, "_bytea"},
    {1002, 18, "_char"},
    {1003, 19, "_name"},
    {1005, 21, "_int2"},
    {1006, 22, "_int2vector"},
    {1007, 23, "_int4"},
    {1008, 24, "_regproc"},
    {1009, 25, "_text"},
    {1010, 27, "_tid"},
    {1011, 28, "_xid"},
    {1012, 29, "_cid"},
    {1013, 30, "_oidvector"},
    {1014, 1042, "_bpchar"},
    {1015, 1043, "_varchar"},
    {1016, 20, "_int8"},
    {1017, 600, "_point"},
    {1018, 601, "_lseg"},
    {1019, 602, "_path"},
    {1020, 603, "_box"},
    {1021, 700, "_float4"},
    {1022, 701, "_float8"},
    {1027, 604, "_polygon"},
    {1028, 26, "_oid"},
    {1033, 0, "aclitem"},
    {1034, 1033, "_aclitem"},
    {1040, 829, "_macaddr"},
    {1041, 869, "_inet"},
    {1042, 0, "bpchar"},
    {1043, 0, "varchar"},
    {1082, 0, "date"},
    {1083, 0, "time"},
    {1114, 0, "timestamp"},
    {1115, 1114, "_timestamp"},
    {1182, 1082, "_date"},
    {1183, 1083, "_time"},
    {1184, 0, "timestamptz"},
    {1185, 1184, "_timestamptz"},
    {1186, 0, "interval"},
    {1187, 1186, "_interval"},
    {1231, 1700, "_numeric"},
    {1263, 2275, "_cstring"},
    {1266, 0, "timetz"},
    {1270, 1266, "_timetz"},
    {1560, 0, "bit"},
    {1561, 1560, "_bit"},
    {1562, 0, "varbit"},
    {1563, 1562, "_varbit"},
    {1700, 0, "numeric"},
    {1790, 0, "refcursor"},
    {2201, 1790, "_refcursor"},
    {2202, 0, "regprocedure"},
    {2203, 0, "regoper"},
    {2204, 0, "regoperator"},
    {2205, 0, "regclass"},
    {2206, 0, "regtype"},
    {2207, 2202, "_regprocedure"},
    {2208, 2203, "_regoper"},
    {2209, 2204, "_regoperator"},
    {2210, 2205, "_regclass"},
    {2211, 2206, "_regtype"},
    {2949, 2970, "_txid_snapshot"},
    {2950, 0, "uuid"},
    {2951, 2950, "_uuid"},
    {2970, 0, "txid_snapshot"},
    {3220, 0, "pg_lsn"},
    {3221, 3220, "_pg_lsn"},
    {3361, 0, "pg_ndistinct"},
    {3402, 0, "pg_dependencies"},
    {3614, 0, "tsvector"},
    {3615, 0, "tsquery"},
    {3642, 0, "gtsvector"},
    {3643, 3614, "_tsvector"},
    {3644, 3642, "_gtsvector"},
    {3645, 3615, "_tsquery"},
    {3734, 0, "regconfig"},
    {3735, 3734, "_regconfig"},
    {3769, 0, "regdictionary"},
    {3770, 3769, "_regdictionary"},
    {3802, 0, "jsonb"},
    {3807, 3802, "_jsonb"},
    {3904, 0, "int4range"},
    {3905, 3904, "_int4range"},
    {3906, 0, "numrange"},
    {3907, 3906, "_numrange"},
    {3908, 0, "tsrange"},
    {3909, 3908, "_tsrange"},
    {3910, 0, "tstzrange"},
    {3911, 3910, "_tstzrange"},
    {3912, 0, "daterange"},
    {3913, 3912, "_daterange"},
    {3926, 0, "int8range"},
    {3927, 3926, "_int8range"},
    {4072, 0, "jsonpath"},
    {4073, 4072, "_jsonpath"},
    {4089, 0, "regnamespace"},
    {4090, 4089, "_regnamespace"},
    {4096, 0, "regrole"},
    {4097, 4096, "_regrole"},
    {4191, 0, "regcollation"},
    {4192, 4191, "_regcollation"},
    {4451, 0, "int4multirange"},
    {4532, 0, "nummultirange"},
    {4533, 0, "tsmultirange"},
    {4534, 0, "tstzmultirange"},
    {4535, 0, "datemultirange"},
    {4536, 0, "int8multirange"},
    {4600, 0, "pg_brin_bloom_summary"},
    {4601, 0, "pg_brin_minmax_multi_summary"},
    {5017, 0, "pg_mcv_list"},
    {5038, 0, "pg_snapshot"},
    {5039, 5038, "_pg_snapshot"},
    {5069, 0, "xid8"},
    {6150, 4451, "_int4multirange"},
    {6151, 4532, "_nummultirange"},
    {6152, 4533, "_tsmultirange"},
    {6153, 4534, "_tstzmultirange"},
    {6155, 4535, "_datemultirange"},
    {6157, 4536, "_int8multirange"},
};

static const builtin_type *type_find(uint32_t oid) {
    size_t low = 0, high = CORE_COUNT_OF(builtin_types);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (builtin_types[middle].oid < oid)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < CORE_COUNT_OF(builtin_types) && builtin_types[low].oid == oid;
    return found ? &builtin_types[low] : NULL;
}

const char *core_type_name(uint32_t type_oid) {
    const builtin_type *type = type_find(type_oid);
    return type != NULL ? type->name : NULL;
}

uint32_t core_type_element(uint32_t type_oid) {
    const builtin_type *type = type_find(type_oid);
    return type != NULL ? type->element : 0;
}

core_slice core_column_type_name(const core_column *column) {
    if (column->type_name.length > 0)
        return column->type_name;
    const char *name = core_type_name(column->type_oid);
    return core_slice_text(name != NULL ? name : "text");
}
