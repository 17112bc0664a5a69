// VitePress's own theme, with what axe finds in it put right.
import DefaultTheme from "vitepress/theme-without-fonts";
import "./style.css";

export default DefaultTheme;
