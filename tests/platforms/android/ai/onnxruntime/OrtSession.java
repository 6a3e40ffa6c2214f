package ai.onnxruntime;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Collections;
import java.util.Map;
import java.util.Set;

/** A network that repeats each pixel twice in both directions, with the calls of ONNX Runtime. */
public class OrtSession implements AutoCloseable {
    public static class SessionOptions {}

    public static class Result implements AutoCloseable {
        private final OnnxTensor tensor;

        Result(OnnxTensor tensor) {
            this.tensor = tensor;
        }

        public OnnxTensor get(int place) {
            return tensor;
        }

        @Override
        public void close() {}
    }

    public Set<String> getInputNames() {
        return Collections.singleton("input");
    }

    public Result run(Map<String, OnnxTensor> inputs) {
        OnnxTensor picture = inputs.get("input");
        long[] shape = picture.shape;
        if (picture.codes != null) {
            int height = (int) shape[1], width = (int) shape[2];
            ByteBuffer larger = ByteBuffer.allocate(4 * height * width * 3);
            for (int i = 0; i < larger.capacity(); i++) {
                int pixel = i / 3, y = pixel / (2 * width), x = pixel % (2 * width);
                larger.put(i, picture.codes.get(((y / 2) * width + x / 2) * 3 + i % 3));
            }
            return new Result(new OnnxTensor(larger, null, null));
        }
        int height = (int) shape[2], width = (int) shape[3];
        FloatBuffer larger = FloatBuffer.allocate(4 * height * width * 3);
        for (int i = 0; i < larger.capacity(); i++) {
            int plane = i / (4 * height * width), pixel = i % (4 * height * width);
            int y = pixel / (2 * width), x = pixel % (2 * width);
            larger.put(i, picture.values.get((plane * height + y / 2) * width + x / 2));
        }
        return new Result(new OnnxTensor(null, larger, null));
    }

    @Override
    public void close() {}
}
