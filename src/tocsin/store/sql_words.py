"""The functions that people's SQL may use, and the words that may stand before a parenthesis."""

_FUNCTIONS = """
count count_if sum avg min max median mode any_value first last arg_min arg_max min_by max_by
approx_count_distinct approx_quantile approx_top_k quantile quantile_cont quantile_disc stddev
stddev_pop stddev_samp variance var_pop var_samp corr bool_and bool_or logical_and logical_or
bit_and bit_or list array_agg string_agg group_concat listagg histogram entropy skewness
kurtosis product mad
row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value
nth_value
lower upper trim ltrim rtrim length len strlen substr substring left right reverse repeat
replace concat concat_ws contains starts_with ends_with prefix suffix instr strpos position
split split_part string_split str_split string_split_regex regexp_split_to_array
regexp_matches regexp_full_match regexp_extract regexp_extract_all regexp_replace
regexp_like translate lpad rpad chr ascii unicode ord md5 sha1 sha256 hash hex unhex to_hex
from_hex base64 to_base64 from_base64 encode decode format printf levenshtein
damerau_levenshtein editdist3 jaccard jaro_similarity jaro_winkler_similarity hamming
bit_length url_encode url_decode parse_path parse_filename parse_dirname ilike like
date_trunc date_part datepart date_diff datediff date_add date_sub datesub dateadd extract
epoch epoch_ms epoch_us epoch_ns make_date make_time make_timestamp time_bucket strftime
strptime try_strptime age to_timestamp to_seconds to_minutes to_hours to_days to_weeks
to_months to_years dayname monthname year month day hour minute second week weekday dayofweek
dayofyear isodow quarter last_day str_to_time timestamp_trunc time_to_str date timestamp
unix_to_time
abs ceil ceiling floor round trunc sign sqrt power pow exp ln log log2 log10 mod greatest least
isnan isinf isfinite fdiv div random degrees radians sin cos tan bit_count xor
coalesce ifnull nullif if case cast try_cast typeof nvl error
list_value list_contains list_has array_contains list_has_any list_has_all list_position
list_transform list_filter list_reduce list_distinct list_unique list_sort list_reverse_sort
list_aggregate list_sum list_avg list_min list_max list_count list_concat list_slice
list_extract list_element array_extract list_append list_prepend list_zip list_any_value
list_bool_or list_bool_and list_resize array_length array_to_string array_concat array_filter
array_transform array_append array_prepend array_position flatten range generate_series unnest
transform filter explode array array_cat array_slice array_sort sort_array array_distinct
struct_pack row struct_extract struct_insert map map_keys map_values map_entries map_extract
element_at cardinality map_contains map_from_entries
json_extract json_extract_string json_array_length json_type json_keys json_contains to_json
json_structure json_valid json_object json_array parse_json json json_each
variant_extract variant_extract_string variant_typeof variant_type variant_keys variant_exists
variant_contains variant_array_length variant_normalize
columns exclude grouping rowid
"""

_WORDS = """
select from where and or not in exists any all some as on using values over partition by order
having qualify filter within group distinct union intersect except join inner cross lateral
with then when else between is sets rollup cube interval limit offset materialized exclude
replace rename lambda decimal numeric varchar text char unpivot pivot for rows window struct
map end similar to escape ilike like asof positional semi anti natural recursive
"""

FUNCTIONS = frozenset(_FUNCTIONS.split())
WORDS_BEFORE_PARENTHESES = frozenset(_WORDS.split())
TABLE_FUNCTIONS = frozenset({"unnest", "range", "generate_series"})
