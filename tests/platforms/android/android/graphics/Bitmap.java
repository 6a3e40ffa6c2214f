package android.graphics;

/** As much of Android's class as the sample uses. */
public class Bitmap {
    public enum Config {
        ARGB_8888
    }

    private final int[] colours;
    private final int width;

    private Bitmap(int[] colours, int width) {
        this.colours = colours;
        this.width = width;
    }

    public static Bitmap createBitmap(int[] colours, int width, int height, Config config) {
        if (colours.length != width * height) throw new IllegalArgumentException();
        return new Bitmap(colours, width);
    }

    public int getWidth() {
        return width;
    }

    public int getHeight() {
        return colours.length / width;
    }

    public void getPixels(int[] into, int offset, int stride, int x, int y, int wide, int high) {
        for (int row = 0; row < high; row++)
            System.arraycopy(colours, (y + row) * width + x, into, offset + row * stride, wide);
    }
}
