import android.graphics.Bitmap;

/** Runs the sample on a picture of 3 by 2 pixels, and prints the larger one's, in hexadecimal. */
public class Enlarge {
    public static void main(String[] arguments) {
        int[] colours = {0xff0102fe, 0xff7f8081, 0xffff0000, 0xff00ff00, 0xff0000ff, 0xff123456};
        Bitmap picture = Bitmap.createBitmap(colours, 3, 2, Bitmap.Config.ARGB_8888);
        Bitmap larger = new Upscaler(new byte[0]).upscale(picture);
        int[] result = new int[larger.getWidth() * larger.getHeight()];
        larger.getPixels(result, 0, larger.getWidth(), 0, 0, larger.getWidth(), larger.getHeight());
        System.out.print(larger.getWidth() + "x" + larger.getHeight());
        for (int colour : result) System.out.print(" " + Integer.toHexString(colour));
        System.out.println();
    }
}
