// The pass through the network, forward. Activations lie feature by feature, so that a feature's batch is a run of
// vectors, and batch norm, activation and dropout are one pass over it.
#pragma once

#include "member.h"

namespace tauten {

constexpr float EPSILON = 1e-5f;  // of batch norm
constexpr int RELU = 0;

// A thread's memory for one member's batch, kept from step to step.
class Space {
   public:
    void fit(const Member& member, int columns) {
        const Layout& layout = member.layout;
        widest = padded((int)std::max<int64_t>({member.plan.inputs, member.plan.width, member.plan.outputs}));
        stride = widest * WIDTH;
        const int64_t depth = layout.hidden(), panels = panels_of(columns), matrix = panels * stride;
        turned_next = spaced(widest);
        activations.resize(depth + 1);
        slopes.resize(depth);
        normed.resize(depth);
        bits.resize(depth);
        inverse.resize(depth);
        for (auto& m : activations) grow(m, matrix);
        for (auto& m : slopes) grow(m, member.plan.activation == RELU ? 0 : matrix);
        for (auto& m : normed) grow(m, matrix);
        for (auto& m : bits) grow(m, member.plan.width * (columns / LANES));
        grow(words, 4 * (int64_t)columns);
        for (auto* m : {&out, &gradient, &inner, &other}) grow(*m, matrix);
        for (auto* m : {&turned, &staging}) grow(*m, (int64_t)panels * WIDTH * std::max(turned_next, widest));
        grow(targets, (int64_t)padded((int)member.plan.outputs) * columns);
        for (auto& m : inverse) grow(m, widest);
        grow(rows, 8 * (int64_t)columns);
        grow(weights, columns);
        if (!member.plan.bf16) return;
        grow(paired, matrix);
        grow(paired_turned, (int64_t)panels * WIDTH / 2 * turned_next);
        grow(paired_weights, (widest + 1) * (widest + PAD));
    }

    Panels<float> panels(const Memory<float>& m) const { return {m.data(), stride}; }
    Panels<uint32_t> panels(const Memory<uint32_t>& m) const { return {m.data(), stride / 2}; }

    int64_t widest = 0, stride = 0, turned_next = 0;
    std::vector<Memory<float>> activations, slopes, normed;
    std::vector<Memory<uint16_t>> bits;  // where a rectifier's unit is on and kept
    Memory<float> out, gradient, inner, other, turned, staging, targets, weights;
    std::vector<Memory<float>> inverse;  // of batch norm: one over the deviation
    Memory<float> gradients, moved;  // of all parameters, where a technique needs them at once
    Memory<uint32_t> rows, words;
    Memory<uint32_t> paired, paired_turned, paired_weights;  // operands in bfloat16

    template <class T>
    static void grow(Memory<T>& memory, int64_t size) {
        if (memory.size() < size) memory = Memory<T>(size);
    }
};

struct Activated {
    V value, slope;
};

template <int KIND>
inline Activated activate(V y) {
    const V one = splat(1.0f);
    if constexpr (KIND == RELU) return {pick(y < 0.0f, V{}, y), pick(y > 0.0f, one, V{})};
    if constexpr (KIND == 1) {
        const V half = 0.5f * (1.0f + error_function(y * 0.707106781f));
        return {y * half, fma(y, exponential(-0.5f * y * y) * 0.398942280f, half)};
    }
    if constexpr (KIND == 2) {
        const V s = sigmoid(y);
        return {y * s, s * fma(y, 1.0f - s, one)};
    }
    const V t = hyperbolic_tangent(y);
    return {t, one - t * t};
}

// Lanes of vector v of the batch that hold rows; the others are there to fill a vector.
inline I real(int column, int batch) { return lane_numbers() + column < batch; }

// What one hidden layer does to its linear map's output, feature by feature.
struct Hidden {
    const Member& member;
    const float* w;
    float* running;  // of batch norm; null leaves them
    Space& space;
    int index, columns, batch;
    bool training;

    template <int KIND>
    void rows(int first, int last) const {
        const In normalization(NORMALIZATION);
        const Layer& layer = member.layout.layers[index];
        const tauten_plan& plan = member.plan;
        const bool norm = plan.batch_norm > 0, add = plan.skip && index > 0;
        const Panels<float> z = space.panels(training ? space.normed[index] : space.activations[index + 1]);
        const Panels<float> before = space.panels(space.activations[index]), after = space.panels(space.activations[index + 1]);
        const Panels<float> slopes = space.panels(space.slopes[index]);
        const int threshold = member.threshold(index);
        const bool drop = training && threshold > 0;
        const float keep = member.keep(index, training);
        float mean[ROWS] = {}, inverse[ROWS];
        std::fill(inverse, inverse + ROWS, 1.0f);
        if (norm) moments(first, last, z, layer, mean, inverse);
        for (int f = first; f < last; f++) {
            if (drop && f % 8 == 0) draw(f);
            const V middle = splat(mean[f - first]), stretch = splat(inverse[f - first]);
            const V scale = splat(norm ? w[layer.scale + f] : 1.0f);
            const V offset = splat(norm ? w[layer.shift + f] : w[layer.bias + f]);
            const uint32_t* words = space.words.data() + (int64_t)(f % 8 / 2) * columns;
            const int shift = f % 2 * 16;
            uint16_t* bits = space.bits[index].data() + (int64_t)f * (columns / LANES);
            float *own = z.at(0, f), *to = after.at(0, f), *slope = slopes.at(0, f);
            const float* from = before.at(0, f);
            sweep(columns, space.stride, [&](int64_t at, int c) __attribute__((always_inline)) {
                V y = (load(own + at) - middle) * stretch;
                if (norm && training) {
                    y = masked(c, y);
                    store(own + at, y);
                }
                Activated a = activate<KIND>(fma(y, scale, offset));
                I kept = I{} - 1;
                if (drop) kept = (I)((load(words + c) >> shift) & 0xFFFF) >= threshold;
                a.value = pick(kept, a.value * keep, V{});
                if (training) {
                    // Of a rectifier one bit tells the slope.
                    if (KIND == RELU) bits[c / LANES] = bits_of((a.slope > 0.0f) & kept);
                    else store(slope + at, pick(kept, a.slope * keep, V{}));
                }
                store(to + at, add ? load(from + at) + a.value : a.value);
            });
        }
    }

    // Zero where the vector at column c reaches beyond the batch.
    V masked(int c, V v) const { return c + LANES <= batch ? v : pick(real(c, batch), v, V{}); }

    // The draws of eight features from f on: two features a word, for every row of the batch.
    void draw(int f) const {
        const In draws(DRAWS);
        const Place place = member.place(member.dropout_sites[index]);
        for (int c = 0; c < columns; c += LANES) {
            const Block block = place.block(f / 8, c);
            for (int i = 0; i < 4; i++) *reinterpret_cast<U*>(space.words.data() + (int64_t)i * columns + c) = block.word[i];
        }
    }

    // Batch norm's mean and 1 / deviation: the batch's in training, the running ones else. One loop over all the rows for
    // each quantity, so that their sums are under way together.
    void moments(int first, int last, Panels<float> z, const Layer& layer, float* mean, float* inverse) const {
        const int rows = last - first;
        if (!training) {
            for (int i = 0; i < rows; i++) {
                mean[i] = w[layer.mean + first + i];
                inverse[i] = 1 / std::sqrt(w[layer.variance + first + i] + EPSILON);
            }
            return;
        }
        V squares[ROWS];
        for (int i = 0; i < rows; i++) {
            V total{};
            const float* own = z.at(0, first + i);
            sweep(columns, space.stride, [&](int64_t at, int c) { total += masked(c, load(own + at)); });
            squares[i] = total;
        }
        for (int i = 0; i < rows; i++) mean[i] = sum(squares[i]) / batch;
        for (int i = 0; i < rows; i++) {
            V total{};
            const V middle = splat(mean[i]);
            const float* own = z.at(0, first + i);
            sweep(columns, space.stride, [&](int64_t at, int c) {
                const V off = masked(c, load(own + at) - middle);
                total = fma(off, off, total);
            });
            squares[i] = total;
        }
        const float rate = member.plan.batch_norm, fair = (float)batch / (batch > 1 ? batch - 1 : 1);
        for (int i = 0; i < rows; i++) {
            const float variance = sum(squares[i]) / batch;
            inverse[i] = 1 / std::sqrt(variance + EPSILON);
            space.inverse[index].data()[first + i] = inverse[i];
            if (!running) continue;
            float &m = running[layer.mean + first + i], &v = running[layer.variance + first + i];
            m += rate * (mean[i] - m);
            v += rate * (variance * fair - v);
        }
    }
};

template <class F>
inline void with_activation(int64_t kind, F f) {
    switch (kind) {
        case 0: return f(std::integral_constant<int, 0>{});
        case 1: return f(std::integral_constant<int, 1>{});
        case 2: return f(std::integral_constant<int, 2>{});
        default: return f(std::integral_constant<int, 3>{});
    }
}

// out = the layer's weights times `in`; `finished` as in `product`.
template <class Finished>
inline void linear(
    const Member& member, const Layer& layer, const float* w, Space& space, Panels<float> in, Panels<float> out,
    int columns, bool training, Finished finished
) {
#if TAUTEN_BF16
    // What is delivered is used in full precision, so it is evaluated so.
    if (member.plan.bf16 && training) {
        const Panels<uint32_t> paired = space.panels(space.paired);
        uint32_t* weights = space.paired_weights.data();
        feature_pairs(in, layer.in, columns, paired);
        row_pairs(w + layer.weight, layer.in, layer.next, weights);
        product(layer.out, (layer.in + 1) / 2, Values<uint32_t>{weights, 1, layer.next}, paired, out, columns, false, finished);
        return;
    }
#else
    (void)member, (void)space, (void)training;
#endif
    product(layer.out, layer.in, Values<float>{w + layer.weight, 1, layer.next}, in, out, columns, false, finished);
}

// From activations[0] to `out`. In training `running` is where batch norm's averages go.
inline void forward(
    const Member& member, const float* w, float* running, Space& space, int columns, int batch, bool training
) {
    const Layout& layout = member.layout;
    for (int i = 0; i < layout.hidden(); i++) {
        const Panels<float> z = space.panels(training ? space.normed[i] : space.activations[i + 1]);
        const Hidden hidden{member, w, running, space, i, columns, batch, training};
        with_activation(member.plan.activation, [&](auto kind) {
            linear(member, layout.layers[i], w, space, space.panels(space.activations[i]), z, columns, training,
                   [&](int first, int last) { hidden.rows<decltype(kind)::value>(first, last); });
        });
    }
    const Layer& last = layout.layers.back();
    const Panels<float> out = space.panels(space.out);
    linear(member, last, w, space, space.panels(space.activations.back()), out, columns, training, [&](int first, int end) {
        for (int f = first; f < end; f++) {
            float* own = out.at(0, f);
            sweep(columns, space.stride, [&](int64_t at, int) { store(own + at, load(own + at) + w[last.bias + f]); });
        }
    });
}

}  // namespace tauten
