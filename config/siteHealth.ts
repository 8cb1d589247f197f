/** Where every container of the site says whether it is well; answered by `components/php/site-config.php`. */
export const healthPath = "/?rancher-cattle=health";
