package ai.onnxruntime;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/** As much of ONNX Runtime's class as the sample uses. */
public class OnnxTensor implements AutoCloseable {
    final ByteBuffer codes;
    final FloatBuffer values;
    final long[] shape;

    OnnxTensor(ByteBuffer codes, FloatBuffer values, long[] shape) {
        this.codes = codes;
        this.values = values;
        this.shape = shape;
    }

    public static OnnxTensor createTensor(
            OrtEnvironment environment, ByteBuffer data, long[] shape, OnnxJavaType type) {
        if (type != OnnxJavaType.UINT8 || !data.isDirect()) throw new IllegalArgumentException();
        return new OnnxTensor(data, null, shape);
    }

    public static OnnxTensor createTensor(OrtEnvironment environment, FloatBuffer data, long[] shape) {
        if (!data.isDirect()) throw new IllegalArgumentException();
        return new OnnxTensor(null, data, shape);
    }

    public ByteBuffer getByteBuffer() {
        return codes.duplicate();
    }

    public FloatBuffer getFloatBuffer() {
        return values.duplicate();
    }

    @Override
    public void close() {}
}
