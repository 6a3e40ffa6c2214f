package ai.onnxruntime;

/** As much of ONNX Runtime's class as the sample uses. */
public class OrtEnvironment {
    public static OrtEnvironment getEnvironment() {
        return new OrtEnvironment();
    }

    public OrtSession createSession(byte[] network, OrtSession.SessionOptions options) {
        return new OrtSession();
    }
}
