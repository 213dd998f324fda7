// The native sources under a sanitizer: compiled into this program, so that every line is watched.
// Run by `make sanitize`; exits with 1 at the first check that fails.

#include "../../src/tauten/native/tauten.cpp"

#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>
#include <vector>

#define CHECK(what)                                                          \
    do {                                                                     \
        if (!(what)) {                                                       \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);  \
            std::exit(1);                                                    \
        }                                                                    \
    } while (0)

constexpr int THREADS = 4;

// Runs `work(thread)` on several threads at once.
template <class F>
void together(F work) {
    std::vector<std::thread> threads;
    for (int i = 0; i < THREADS; i++) threads.emplace_back(work, i);
    for (std::thread& thread : threads) thread.join();
}

void library_knows_itself() {
    CHECK(tauten_abi() > 0);
    CHECK(tauten_lanes() == 4 || tauten_lanes() == 8 || tauten_lanes() == 16);
    CHECK(tauten_bf16() == 0 || tauten_lanes() == 16);
    CHECK(tauten_peak(0.001, 0) > 0 && tauten_peak(0.001, (int)tauten_bf16()) > 0);
}

void draws_are_the_same_on_every_thread() {
    constexpr int64_t rows = 3, blocks = 37;  // not a multiple of any vector
    std::vector<uint32_t> alone(rows * blocks * 4);
    tauten_words(1, 2, 3, rows, blocks, alone.data());
    together([&](int) {
        std::vector<uint32_t> own(rows * blocks * 4);
        tauten_words(1, 2, 3, rows, blocks, own.data());
        CHECK(own == alone);
    });
}

void a_stack_s_words_are_each_member_s() {
    constexpr int64_t members = 3;
    const int64_t seed[members] = {0, 7, ((int64_t)1 << 62) + 5}, step[members] = {4, 0, 0xFFFFFFFF};
    for (int64_t rows : {1, 5, 16, 37})
        for (int64_t blocks : {1, 4, 19}) {
            std::vector<uint32_t> all(members * blocks * 4 * rows), own(rows * blocks * 4);
            tauten_fill(seed, step, 3, members, rows, blocks, all.data());
            for (int64_t m = 0; m < members; m++) {
                tauten_words((uint64_t)seed[m], (uint32_t)step[m], 3, rows, blocks, own.data());
                for (int64_t i = 0; i < rows * blocks * 4; i++)
                    CHECK(all[(m * blocks * 4 + i % (blocks * 4)) * rows + i / (blocks * 4)] == own[i]);
            }
        }
}

void truth_values_are_halves_of_words_below_the_threshold() {
    constexpr int64_t members = 2, rows = 3;
    const int64_t seed[members] = {7, ((int64_t)1 << 62) + 5}, step[members] = {4, 0xFFFFFFFF};
    const int32_t threshold[members] = {20000, 65536};
    for (int64_t size : {1, 8, 37, 1030}) {
        const int64_t blocks = (size + 7) / 8;
        std::vector<uint8_t> drawn(members * rows * size);
        std::vector<uint32_t> words(rows * blocks * 4);
        tauten_bernoulli(seed, step, 3, threshold, members, rows, size, drawn.data());
        for (int64_t m = 0; m < members; m++) {
            tauten_words((uint64_t)seed[m], (uint32_t)step[m], 3, rows, blocks, words.data());
            for (int64_t i = 0; i < rows * size; i++) {
                const uint32_t word = words[i / size * blocks * 4 + i % size / 2];
                const int32_t half = (int32_t)(i % size % 2 ? word >> 16 : word & 0xFFFF);
                CHECK(drawn[m * rows * size + i] == (half < threshold[m]));
            }
        }
    }
}

// ---- elementary functions, against the C library in double ----

constexpr float INF = std::numeric_limits<float>::infinity(), NOT = std::numeric_limits<float>::quiet_NaN();

uint32_t bits_of_float(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return bits;
}

float float_of_bits(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return x;
}

// f of one number; every lane must say the same.
template <class F>
float once(F f, float x) {
    const V y = f(splat(x));
    for (int i = 1; i < LANES; i++) CHECK(bits_of_float(y[0]) == bits_of_float(y[i]));
    return y[0];
}

struct Error {
    double units = 0, absolute = 0;  // the largest: in units in the last place, and as it is
};

// Over a grid that is dense both in value and in order of magnitude, with its ends.
template <class F, class G>
Error error(F f, G truth, float low, float high) {
    Error worst;
    const auto look = [&](const float* x) {
        V given;
        std::memcpy(&given, x, sizeof given);
        const V got = f(given);
        for (int i = 0; i < LANES; i++) {
            const double want = truth((double)x[i]), off = std::fabs((double)got[i] - want);
            CHECK(std::isfinite(got[i]));
            const double unit = std::ldexp(1.0, std::max(want ? std::ilogb(want) : -126, -126) - 23);
            worst.units = std::max(worst.units, off / unit);
            worst.absolute = std::max(worst.absolute, off);
        }
    };
    constexpr int POINTS = 1 << 17;
    float x[LANES];
    for (int i = 0; i < POINTS; i += LANES) {
        for (int j = 0; j < LANES; j++) x[j] = (float)(low + ((double)high - low) * (i + j) / (POINTS - 1));
        look(x);
    }
    for (float sign : {-1.0f, 1.0f})
        for (uint32_t bits = 0; bits < bits_of_float(INF); bits += 12347u * LANES) {
            for (int j = 0; j < LANES; j++) {
                const float own = sign * float_of_bits(std::min(bits + 12347u * j, bits_of_float(FLT_MAX)));
                x[j] = own < low ? low : own > high ? high : own;
            }
            look(x);
        }
    return worst;
}

void exponentials_are_the_c_librarys() {
    const auto e = [](V x) { return exponential(x); };
    const auto e1 = [](V x) { return expm1(x); };
    CHECK(error(e, [](double x) { return std::exp(x); }, -87, 88).units < 1.5);
    CHECK(error(e1, [](double x) { return std::expm1(x); }, -87, 88).units < 2);
    // Beyond they stay at the last value, finite, so that a sum of them can't become NaN.
    for (float x : {88.5f, 1000.0f, FLT_MAX, INF}) {
        CHECK(once(e, x) == once(e, 88.0f) && once(e1, x) == once(e1, 88.0f));
        CHECK(once(e, -x) == once(e, -87.0f) && once(e1, -x) == -1);
    }
    CHECK(once(e, 0.0f) == 1 && once(e, -0.0f) == 1 && once(e, FLT_TRUE_MIN) == 1 && once(e, -FLT_TRUE_MIN) == 1);
    CHECK(once(e1, 0.0f) == 0 && once(e1, -0.0f) == 0);
    CHECK(once(e1, FLT_TRUE_MIN) == FLT_TRUE_MIN && once(e1, -FLT_TRUE_MIN) == -FLT_TRUE_MIN);
    CHECK(std::isnan(once(e, NOT)) && std::isnan(once(e1, NOT)));
}

void logarithm_is_the_c_librarys() {
    const auto f = [](V x) { return logarithm(x); };
    CHECK(error(f, [](double x) { return std::log(x); }, FLT_MIN, FLT_MAX).units < 2);
    CHECK(error(f, [](double x) { return std::log(x); }, 0.5f, 2).units < 2);
    CHECK(once(f, 1.0f) == 0);
}

// Near a zero of the cosine few places are right, which a normal draw, a product with a radius, does not need.
void circle_is_the_c_librarys() {
    const float whole = 6.2831855f;
    CHECK(error([](V x) { return circle(x).cosine; }, [](double x) { return std::cos(x); }, 0, whole).absolute < 2e-7);
    CHECK(error([](V x) { return circle(x).sine; }, [](double x) { return std::sin(x); }, 0, whole).absolute < 2e-7);
    CHECK(once([](V x) { return circle(x).cosine; }, 0.0f) == 1 && once([](V x) { return circle(x).sine; }, 0.0f) == 0);
}

void activations_are_the_c_librarys() {
    const auto t = [](V x) { return hyperbolic_tangent(x); };
    const auto s = [](V x) { return sigmoid(x); };
    const auto e = [](V x) { return error_function(x); };
    CHECK(error(t, [](double x) { return std::tanh(x); }, -FLT_MAX, FLT_MAX).units < 2.5);
    CHECK(error(t, [](double x) { return std::tanh(x); }, -5, 5).units < 2.5);
    CHECK(error(s, [](double x) { return 1 / (1 + std::exp(-x)); }, -87, FLT_MAX).units < 3);
    CHECK(error(s, [](double x) { return 1 / (1 + std::exp(-x)); }, -20, 20).units < 3);
    CHECK(error(e, [](double x) { return std::erf(x); }, -FLT_MAX, FLT_MAX).units < 1.5);
    CHECK(error(e, [](double x) { return std::erf(x); }, -5, 5).units < 1.5);
    for (float x : {0.0f, -0.0f, INF, -INF, FLT_TRUE_MIN, -FLT_TRUE_MIN}) {
        const float limit = std::isinf(x) ? std::copysign(1.0f, x) : x;
        CHECK(bits_of_float(once(t, x)) == bits_of_float(limit));
        CHECK(once(e, x) == (std::isinf(x) ? limit : once(e, x)) && std::signbit(once(e, x)) == std::signbit(x));
    }
    CHECK(once(e, 0.0f) == 0 && once(e, -0.0f) == 0);
    CHECK(once(s, 0.0f) == 0.5f && once(s, INF) == 1 && once(s, -INF) >= 0 && once(s, -INF) < FLT_MIN);
    CHECK(std::isnan(once(t, NOT)) && std::isnan(once(s, NOT)) && std::isnan(once(e, NOT)));
}

// ---- draws ----

void generator_gives_the_published_answers() {
    struct Answer {
        uint32_t counter[4];
        Key key;
        uint32_t words[4];
    };
    // Random123 1.09, tests/kat_vectors, philox4x32-10.
    const Answer answers[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (const Answer& own : answers) {
        const uint32_t* at = own.counter;
        const Block drawn = philox(splat(at[0]), splat(at[1]), splat(at[2]), splat(at[3]), own.key);
        for (int word = 0; word < 4; word++)
            for (int lane = 0; lane < LANES; lane++) CHECK(drawn.word[word][lane] == own.words[word]);
    }
}

// The largest size gives equal draws (n * n / 2^33 pairs are to be expected), which must keep their order.
void permutations_are_stable_sorts() {
    int64_t equal = 0;
    for (int64_t n : {1, 2, 3, 4, 5, 63, 64, 65, 257, 1000, 200003}) {
        const Place place{{(uint32_t)n, 9}, 5, 11};
        std::vector<uint32_t> order(n), spare(3 * n), want(n), keys((n + 3) / 4 * 4);
        permutation(place, n, order.data(), spare.data());
        tauten_words((uint64_t)9 << 32 | (uint32_t)n, 5, 11, 1, (n + 3) / 4, keys.data());
        std::iota(want.begin(), want.end(), 0);
        std::stable_sort(want.begin(), want.end(), [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
        CHECK(order == want);
        for (int64_t i = 1; i < n; i++) equal += keys[order[i]] == keys[order[i - 1]];
    }
    CHECK(equal > 0);
}

// ---- products, against plain loops ----

// Numbers of a few bits, so that every order of summing them gives the same, and fused or not, or as bfloat16.
float small(int64_t i) { return (float)((i * 2654435761u >> 7) % 17) - 8; }

// Panels with room for whole vectors, as `Space` has; every number stands for its feature and column.
struct Batch {
    int64_t stride;
    Memory<float> memory;

    Batch(int features, int columns)
        : stride((int64_t)padded(features) * WIDTH), memory(panels_of(padded(columns)) * stride) {
        for (int f = 0; f < features; f++)
            for (int c = 0; c < columns; c++) at(f, c) = small(f * 1009 + c + features);
    }
    float& at(int f, int c) { return panels().at(c / WIDTH, f)[c % WIDTH]; }
    Panels<float> panels() const { return {memory.data(), stride}; }
};

const std::vector<int> ODD = {1, 5, 6, 7, 13, 33, 67};

// What `outer` gives, to where it belongs.
void copy(const float* block, int rows, int width, float* to, int64_t next) {
    for (int r = 0; r < rows; r++, to += next) std::memcpy(to, block + r * WIDTH, width * sizeof(float));
}

void transposition_turns() {
    alignas(64) float x[LANES * LANES];
    V rows[LANES];
    for (int i = 0; i < LANES * LANES; i++) x[i] = (float)i;
    for (int i = 0; i < LANES; i++) rows[i] = load(x + i * LANES);
    transpose(rows);
    for (int i = 0; i < LANES; i++)
        for (int j = 0; j < LANES; j++) CHECK(rows[i][j] == x[j * LANES + i]);
}

void batches_turn_and_turn_back() {
    for (int features : ODD)
        for (int batch : {1, 16, 50, 64, 65, 200}) {
            const int columns = padded(batch);
            Batch from(features, batch), back(features, batch);
            const int64_t next = padded(features);
            Memory<float> rows(panels_of(columns) * WIDTH * next);
            turned(from.panels(), features, columns, rows.data(), next);
            for (int c = 0; c < columns; c++)
                for (int f = 0; f < next; f++)
                    CHECK(rows.data()[c * next + f] == (f < features && c < batch ? from.at(f, c) : 0));
            for (int f = 0; f < features; f++)
                for (int c = 0; c < batch; c++) back.at(f, c) = NOT;
            to_panels(rows.data(), next, features, columns, back.panels());
            for (int f = 0; f < features; f++)
                for (int c = 0; c < batch; c++) CHECK(back.at(f, c) == from.at(f, c));
        }
}

void products_are_sums() {
    for (int rows : ODD)
        for (int inner : ODD)
            for (int batch : {1, 16, 50, 64, 65, 200})
                for (bool add : {false, true}) {
                    const int columns = padded(batch);
                    const int64_t next = padded(rows) + PAD;
                    Memory<float> a(inner * next);
                    for (int64_t i = 0; i < a.size(); i++) a.data()[i] = small(i + 3);
                    Batch b(inner, batch), out(rows, batch), before(rows, batch);
                    int seen = 0;
                    product(rows, inner, Values<float>{a.data(), 1, next}, b.panels(), out.panels(), columns, add,
                            [&](int first, int last) {
                                CHECK(first == seen && last > first);
                                seen = last;
                            });
                    CHECK(seen == rows);
                    for (int r = 0; r < rows; r++)
                        for (int c = 0; c < batch; c++) {
                            float want = add ? before.at(r, c) : 0;
                            for (int k = 0; k < inner; k++) want += a.data()[k * next + r] * b.at(k, c);
                            CHECK(out.at(r, c) == want);
                        }
                }
}

void outer_products_are_sums() {
    for (int rows : ODD)
        for (int width : ODD)
            for (int batch : {1, 16, 50, 64, 65, 200}) {
                const int columns = padded(batch), whole = padded(width);
                const int64_t next = whole;
                Batch a(rows, batch), d(width, batch);
                Memory<float> turned_d(panels_of(columns) * WIDTH * next), out(rows * next);
                turned(d.panels(), width, columns, turned_d.data(), next);
                int begun = 0, told = 0;
                outer(rows, whole, a.panels(), static_cast<const float*>(turned_d.data()), next, batch,
                      [&](int, int some, int, int n) { begun += some * n; },
                      [&](int row, int some, int column, int n, const float* block) {
                          told += some * n;
                          copy(block, some, n, out.data() + row * next + column, next);
                      });
                CHECK(begun == rows * whole && told == begun);
                for (int r = 0; r < rows; r++)
                    for (int j = 0; j < whole; j++) {
                        float want = 0;
                        for (int c = 0; c < batch && j < width; c++) want += a.at(r, c) * d.at(j, c);
                        CHECK(out.data()[r * next + j] == want);
                    }
            }
}

#if TAUTEN_BF16
// The same with two numbers in a word: the numbers above are whole and small, so nothing is rounded.
void paired_products_are_sums() {
    for (int rows : ODD)
        for (int inner : ODD)
            for (int batch : {1, 16, 50, 64, 65, 200}) {
                const int columns = padded(batch);
                const int64_t next = padded(rows), turned_next = padded(inner);
                Batch b(inner, batch), d(rows, batch), out(rows, batch), back(rows, batch);
                Memory<float> a(inner * next), other(rows * turned_next), outwards(inner * next);
                for (int k = 0; k < inner; k++)
                    for (int r = 0; r < rows; r++)
                        a.data()[k * next + r] = other.data()[r * turned_next + k] = small(k * 31 + r);
                Memory<uint32_t> words(inner * next + LANES), wide(rows * turned_next + LANES);
                Memory<uint32_t> down(b.memory.size()), across(b.memory.size());
                Memory<uint32_t> turned_d(panels_of(columns) * WIDTH * next);
                const Panels<uint32_t> in{down.data(), b.stride}, along{across.data(), b.stride};
                row_pairs(a.data(), inner, next, words.data());
                within_rows(other.data(), rows, turned_next, wide.data());
                feature_pairs(b.panels(), inner, columns, in);
                column_pairs(b.panels(), inner, columns, along);
                turned_pairs(d.panels(), rows, columns, turned_d.data(), next);
                const Values<uint32_t> first{words.data(), 1, next}, second{wide.data(), turned_next / 2, 1};
                const auto nothing = [](auto...) {};
                product(rows, (inner + 1) / 2, first, in, out.panels(), columns, false, nothing);
                product(rows, (inner + 1) / 2, second, in, back.panels(), columns, false, nothing);
                outer(inner, (int)next, along, static_cast<const uint32_t*>(turned_d.data()), next, batch, nothing,
                      [&](int row, int some, int column, int n, const float* block) {
                          copy(block, some, n, outwards.data() + row * next + column, next);
                      });
                for (int r = 0; r < rows; r++) {
                    for (int c = 0; c < batch; c++) {
                        float want = 0;
                        for (int k = 0; k < inner; k++) want += a.data()[k * next + r] * b.at(k, c);
                        CHECK(out.at(r, c) == want && back.at(r, c) == want);
                    }
                    for (int k = 0; k < inner; k++) {
                        float want = 0;
                        for (int c = 0; c < batch; c++) want += b.at(k, c) * d.at(r, c);
                        CHECK(outwards.data()[k * next + r] == want);
                    }
                }
            }
}
#endif

// A table of 50 rows, fewer than the larger batches, and one member's arrays, gone as soon as the member is made.
struct Table {
    std::vector<float> inputs, targets, weights;
    std::vector<int64_t> rows;

    Table(int64_t n, const tauten_plan& plan)
        : inputs(n * plan.inputs), targets(n * plan.outputs), weights(plan.adam ? n : 0, 1.5f), rows(n) {
        std::vector<uint32_t> drawn(n * 4 * ((plan.inputs + 3) / 4));
        tauten_words(7, 0, 0, n, (plan.inputs + 3) / 4, drawn.data());
        for (int64_t i = 0; i < n * plan.inputs; i++) inputs[i] = (float)drawn[i] * 0x1p-31f - 1;
        for (int64_t i = 0; i < n; i++) {
            const int64_t k = inputs[i * plan.inputs] > 0 ? plan.outputs - 1 : 0;
            targets[i * plan.outputs + k] = 1;
            rows[i] = n - 1 - i;
        }
    }

    tauten_data data() const {
        const float* own = weights.empty() ? nullptr : weights.data();
        return {inputs.data(), targets.data(), own, rows.data(), (int64_t)rows.size()};
    }
};

struct Case {
    int64_t inputs, width, depth, outputs, batch;
    bool everything, norm;
};

// Odd sizes, sizes that are whole vectors, and sizes of one; every technique together, and none.
const std::vector<Case> CASES = {
    {1, 1, 1, 1, 1, false, false},  {3, 5, 1, 2, 16, false, true},     {30, 33, 2, 3, 20, true, true},
    {64, 64, 3, 10, 128, true, true}, {17, 31, 2, 4, 50, true, false}, {5, 256, 2, 1, 37, true, true},
};

tauten_plan planned(const Case& c, int64_t seed) {
    tauten_plan plan{};
    plan.inputs = c.inputs, plan.width = c.width, plan.depth = c.depth, plan.outputs = c.outputs, plan.batch = c.batch;
    plan.activation = seed % 4, plan.skip = seed % 2, plan.loss = c.outputs > 1 ? 1 + seed / 2 % 2 : 0, plan.adam = seed % 3 > 0;
    plan.schedule = seed % 3, plan.length = 40, plan.seed = (uint64_t)seed << 40 | 5, plan.learning_rate = 0.01;
    plan.momentum = 0.9f, plan.order_site = 1, plan.batch_norm = c.norm ? 0.1f : 0;
    plan.bf16 = TAUTEN_BF16 && seed > 3;
    if (!c.everything) return plan;
    plan.input_noise = plan.label_smoothing = plan.mixup = 0.1f, plan.noise_site = 2, plan.partner_site = 3;
    plan.a_normal_site = 4, plan.a_accept_site = 5, plan.a_boost_site = 6;
    plan.b_normal_site = 7, plan.b_accept_site = 8, plan.b_boost_site = 9;
    plan.l1 = plan.l2 = 1e-4f, plan.weight_decay = 0.01f, plan.ema = 0.9f;
    plan.max_norm = 2, plan.clip_norm = 1, plan.sam = seed % 2 ? 0.05f : 0;
    return plan;
}

Member* made(const Case& c, int64_t seed) {
    tauten_plan plan = planned(c, seed);
    const std::vector<uint32_t> sites(c.depth + 1, 20);
    const std::vector<float> dropout(c.depth, 0.3f), class_weights(c.outputs, 1.5f);
    plan.weight_sites = plan.bias_sites = plan.dropout_sites = sites.data();
    if (c.everything) plan.dropout = dropout.data(), plan.class_weights = class_weights.data();
    return tauten_new(&plan);
}

// A member for each case and seed with its table, job and results.
struct Crowd {
    std::vector<Table> tables;
    std::vector<tauten_data> data;
    std::vector<tauten_job> jobs;
    std::vector<std::vector<float>> out, weights;

    explicit Crowd(int64_t steps) {
        for (int64_t seed = 0; seed < (TAUTEN_BF16 ? 8 : 4); seed++)
            for (const Case& c : CASES) {
                tables.emplace_back(std::max<int64_t>(50, c.batch), planned(c, seed));
                out.emplace_back(tables.back().rows.size() * c.outputs);
                jobs.push_back({});
                jobs.back().member = made(c, seed), jobs.back().steps = steps;
            }
        for (const Table& table : tables) data.push_back(table.data());
        for (size_t i = 0; i < jobs.size(); i++) {
            jobs[i].data = &data[i], jobs[i].rows = data[i].rows, jobs[i].n = data[i].n, jobs[i].out = out[i].data();
        }
    }
    Crowd(const Crowd&) = delete;
    ~Crowd() {
        for (tauten_job& job : jobs) tauten_free(job.member);
    }

    tauten_queue queue() { return {jobs.data(), (int64_t)jobs.size(), 0, 0, 0}; }

    void read() {
        for (tauten_job& job : jobs) {
            weights.emplace_back(tauten_size(job.member));
            tauten_read(job.member, 1, weights.back().data());
        }
    }
};

void members_train_the_same_on_many_threads_as_on_one() {
    Crowd alone(12), crowd(12);
    tauten_queue one = alone.queue(), many = crowd.queue();
    CHECK(tauten_work(&one) == 0);
    together([&](int) { CHECK(tauten_work(&many) == 0); });
    alone.read(), crowd.read();
    CHECK(one.done == many.done && one.done >= 12 * one.size);
    CHECK(alone.out == crowd.out && alone.weights == crowd.weights);
    for (size_t i = 0; i < alone.jobs.size(); i++) {
        CHECK(std::isfinite(alone.jobs[i].loss) && alone.jobs[i].loss == crowd.jobs[i].loss);
        for (float x : alone.out[i]) CHECK(std::isfinite(x));
    }
}

void weights_come_back_as_they_went_in() {
    Crowd crowd(0);
    crowd.read();
    for (size_t i = 0; i < crowd.jobs.size(); i++) {
        std::vector<float> own = crowd.weights[i], back(own.size());
        for (float& x : own) x += 1;
        tauten_write(crowd.jobs[i].member, own.data());
        tauten_read(crowd.jobs[i].member, 0, back.data());
        CHECK(own == back);
    }
}

void a_queue_stops_when_told() {
    Crowd crowd(1 << 30);
    for (tauten_job& job : crowd.jobs) job.last = 1;
    tauten_queue queue = crowd.queue();
    together([&](int i) {
        if (i > 0) {
            CHECK(tauten_work(&queue) == 0);
        } else {
            while (__atomic_load_n(&queue.done, __ATOMIC_RELAXED) < 20) std::this_thread::yield();
            __atomic_store_n(&queue.stop, 1, __ATOMIC_RELAXED);
        }
    });
    CHECK(queue.done >= 20);
}

int main() {
    library_knows_itself();
    exponentials_are_the_c_librarys();
    logarithm_is_the_c_librarys();
    circle_is_the_c_librarys();
    activations_are_the_c_librarys();
    generator_gives_the_published_answers();
    permutations_are_stable_sorts();
    transposition_turns();
    batches_turn_and_turn_back();
    products_are_sums();
    outer_products_are_sums();
#if TAUTEN_BF16
    paired_products_are_sums();
#endif
    draws_are_the_same_on_every_thread();
    a_stack_s_words_are_each_member_s();
    truth_values_are_halves_of_words_below_the_threshold();
    members_train_the_same_on_many_threads_as_on_one();
    weights_come_back_as_they_went_in();
    a_queue_stops_when_told();
    std::puts("all checks passed");
}
